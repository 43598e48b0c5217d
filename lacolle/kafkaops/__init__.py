"""What ``lacolle ops kafka`` does: topics, users and rights, on brokers that are there.

``wanted`` says what must be (pure), ``administrator`` speaks to the brokers, ``passwords`` keeps the users' passwords
in files, ``setup`` compares and acts, ``command`` is one run.
"""
