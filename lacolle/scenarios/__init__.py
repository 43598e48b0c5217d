"""Scenarios: each relation between governments as an alert that must pass, one that must not, and what each side sees."""
