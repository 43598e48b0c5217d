"""What an operator looks at: health, its parts, and metrics."""
