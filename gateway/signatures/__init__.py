"""Signatures made and verified in a process of their own."""
