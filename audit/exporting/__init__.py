"""Exports of the log: rows of named columns, in one of three formats, in an archive with a signed manifest."""
