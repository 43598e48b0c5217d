"""The processes of an exchange: all of it in one, or each role in processes of its own, and what they are made of."""
