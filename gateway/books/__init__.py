"""Comparing what was handed over with those who received it."""
