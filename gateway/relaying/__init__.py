"""From dispatches in the database to parcels on the bus, and from outcomes back to evidence."""
