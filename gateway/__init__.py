"""The exchange's own side: intake, relay, outcomes, read API. Rooms on floors: the import linter holds them."""
