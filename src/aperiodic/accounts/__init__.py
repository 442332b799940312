"""Accounts: keys, plans and usage, as rows of the ledger."""
