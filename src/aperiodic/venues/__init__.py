"""What the venues say on their channels, and how it becomes ticks: one folder a venue, pure code without I/O."""

from aperiodic.venues.book import Book, Levels
from aperiodic.venues.events import EARLIEST_US, LATEST_US, RejectedFrameError, Row, Sink

__all__ = ["EARLIEST_US", "LATEST_US", "Book", "Levels", "RejectedFrameError", "Row", "Sink"]
