"""The ``lacolle`` command's parts: each module adds its own commands to an application."""
