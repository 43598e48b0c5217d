"""What can go wrong when an exchange is set up on Kafka."""

from __future__ import annotations

from lacolle.errors import LacolleError


class KafkaSetupError(LacolleError):
    """The brokers can't be reached or refuse, or a file of passwords can't be used; what was done before stands."""
