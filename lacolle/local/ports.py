"""Ports of loopback for servers that are started here."""

from __future__ import annotations

import random
import socket
from typing import Final

_PORTS: Final = range(20_000, 30_000)
"""Below the ports that Linux gives to outgoing connections, which could take a stopped broker's."""


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing listens on now, and that no outgoing connection will be given."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return found
