"""What this process believes of participants and agreements: verified documents, in memory, without a database."""
