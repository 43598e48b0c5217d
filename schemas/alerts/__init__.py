"""The alert: header, info blocks, handling, and one module per type of body."""
