"""What keeps a process true while it runs: its registry follows what is signed, and content ends in time."""
