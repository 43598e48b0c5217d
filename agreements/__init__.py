"""Agreements between jurisdictions: the document, its conditions and obligations, decide, explain, lint. Pure."""
