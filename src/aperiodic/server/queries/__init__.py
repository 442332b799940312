"""What the server asks the ledger."""
