"""Content at rest: sealed under keys of its own, and unreadable for good once they are destroyed."""
