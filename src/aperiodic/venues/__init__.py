"""What the venues say on their channels, and how it becomes ticks: one folder a venue, pure code without I/O."""

from aperiodic.venues.contracts import Contract, UnknownContractError
from aperiodic.venues.events import (
    EARLIEST_US,
    LARGEST,
    LATEST_US,
    RESTART_SLACK_US,
    SMALLEST,
    Levels,
    RejectedFrameError,
    Row,
    Sink,
)
from aperiodic.venues.registry import all_venues, feed_of, has_modelled_time, register, sender_of, unregister, venue_of
from aperiodic.venues.venue import DerivativeHabits, Habits, Instruments, Mapper, Venue

__all__ = [
    "EARLIEST_US",
    "LARGEST",
    "LATEST_US",
    "RESTART_SLACK_US",
    "SMALLEST",
    "Contract",
    "DerivativeHabits",
    "Habits",
    "Instruments",
    "Levels",
    "Mapper",
    "RejectedFrameError",
    "Row",
    "Sink",
    "UnknownContractError",
    "Venue",
    "all_venues",
    "feed_of",
    "has_modelled_time",
    "register",
    "sender_of",
    "unregister",
    "venue_of",
]
