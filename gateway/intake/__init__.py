"""What others sign and send in: taken or refused, each with its reason."""
