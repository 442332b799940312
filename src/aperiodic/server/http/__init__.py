"""Connections: how many there may be, how long each may take for what, and the processes that answer them."""
