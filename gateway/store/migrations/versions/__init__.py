"""Revisions, oldest first. None can be taken back: for an older program, restore the backup that goes with it."""
