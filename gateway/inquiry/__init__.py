"""What auditors ask: questions, exports, reports, evidence."""
