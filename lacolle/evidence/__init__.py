"""Verifying evidence bundles offline: everything that ``audit.evidence`` checks, and the agreements and decisions."""
