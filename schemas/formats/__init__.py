"""The forms an alert is written in, each a pair of pure functions: read and write."""
