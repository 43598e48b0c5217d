"""``python -m lacolle``: the command, where it is not installed."""

from __future__ import annotations

from lacolle.cli import main

if __name__ == "__main__":
    main()
