"""The bars of days that are not over: computed as ticks come, and published beside the months of closed days."""

from aperiodic.engine.open_days.builder import OpenDayBuilder, Round

__all__ = ["OpenDayBuilder", "Round"]
