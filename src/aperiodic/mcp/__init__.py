"""Datasets as tools for agents: a server of the Model Context Protocol that asks the API as any client does."""
