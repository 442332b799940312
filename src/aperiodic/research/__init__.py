"""Tools for frames that were fetched: complete grids, joins without look-ahead, bars of trades, plots."""
