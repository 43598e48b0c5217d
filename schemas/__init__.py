"""The vocabulary of the exchange: alerts, signatures, receipts, parcels and formats. Pure: no I/O, no state."""
