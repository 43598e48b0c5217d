"""The image's health check: ask this container's operation listener whether it is ready.

Exit status 0 where it is, degraded included; 1 where it is not, or does not answer. Standard library alone.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

PATIENCE = 4.0
OK = 200


def main() -> int:
    """Return the exit status."""
    connection = HTTPConnection("127.0.0.1", int(os.environ["LACOLLE_OPERATION__PORT"]), timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == OK else 1
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
