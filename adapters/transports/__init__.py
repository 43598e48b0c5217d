"""The ways to hand a message to a partner, one file each."""
