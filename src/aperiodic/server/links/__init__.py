"""Signed links, and the files behind them."""
