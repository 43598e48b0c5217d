"""What ``lacolle ops kafka`` does: topics, users and rights, on brokers that are there.

``wanted`` says what must be (pure), ``administrator`` speaks to the brokers, ``setup`` compares and acts, ``command``
is one run; the users' passwords are in files (``lacolle.passwordfolder``).
"""
