"""What ``lacolle ops kafka`` does: topics, users and rights, on brokers that are there; and ``lacolle ops dead``.

``wanted`` says what must be (pure), ``administrator`` speaks to the brokers, ``setup`` compares and acts, ``command``
is one run; ``dead`` reads a dead topic; the users' passwords are in files (``lacolle.passwordfolder``).
"""
