"""Scenarios: for each relation an alert that must pass, one that must not, and what each side sees."""
