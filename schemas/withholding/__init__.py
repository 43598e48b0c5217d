"""What one recipient may not have of an alert: planning it, leaving it out, and saying so. Pure; decision record 13."""
