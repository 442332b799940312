"""Rows of bars the moment they are over, made from the same state as the files of open days."""

from aperiodic.engine.live.bars import LiveBars
from aperiodic.engine.live.hub import LiveHub, follow_hub, is_made
from aperiodic.engine.live.hubs import LocalSource, RowsHub, RowsSource, look_at_hub, open_hub, open_source
from aperiodic.engine.live.rows import LiveRow, LiveSeries, Seconds, newest_times

__all__ = [
    "LiveBars",
    "LiveHub",
    "LiveRow",
    "LiveSeries",
    "LocalSource",
    "RowsHub",
    "RowsSource",
    "Seconds",
    "follow_hub",
    "is_made",
    "look_at_hub",
    "newest_times",
    "open_hub",
    "open_source",
]
