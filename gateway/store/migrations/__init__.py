"""The schema's history, one revision a file; both databases run the same revisions."""
