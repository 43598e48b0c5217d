"""One worker per partner: take a parcel off the bus, translate it, hand it over, report what the partner said."""
