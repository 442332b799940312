"""Tools for frames that were fetched: complete grids, joins without look-ahead, bars of trades, plots."""

from aperiodic.research import bars

__all__ = ["bars"]
