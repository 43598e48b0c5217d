"""The exchange's own side: intake, relay, outcomes, read API."""
