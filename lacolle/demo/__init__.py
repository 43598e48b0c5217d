"""The demonstration: a whole exchange on loopback, its agencies and its partners, told as it happens."""
