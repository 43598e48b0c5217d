"""The exchange log as it runs: appended to, signed, cosigned, indexed."""
