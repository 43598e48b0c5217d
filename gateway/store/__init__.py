"""The store: the one writer, and what readers ask of it."""
