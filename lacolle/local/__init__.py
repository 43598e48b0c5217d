"""Real servers on this machine, without containers: for a trial of the whole set, for benchmarks and for tests."""
