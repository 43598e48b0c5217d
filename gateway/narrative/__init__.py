"""An evidence bundle told to people: what was sent, decided, delivered and answered, in French and in English."""
