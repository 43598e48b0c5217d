"""Evidence bundles: one alert's history in one file, and checking it offline."""
