"""Signatures over received bytes, the strict JSON at the door, and the canonical bytes of what we sign ourselves."""
