"""What people run and import: the ``lacolle`` command, the client, the demo and the all-in-one node."""
