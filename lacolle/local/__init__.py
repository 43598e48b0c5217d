"""The exchange's real engines, started on this machine without containers: for tests, ``make up`` and benchmarks."""
