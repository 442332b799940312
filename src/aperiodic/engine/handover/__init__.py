"""Ticks from the process that makes them to the one that makes live rows, before they are files.

Files and their commits stay the truth: what is handed over is committed seconds later, and whoever has missed some of
it reads it from there.
"""

from aperiodic.engine.handover.messages import Announced, HandedOver
from aperiodic.engine.handover.receiver import TicksReceiver
from aperiodic.engine.handover.sender import TicksSender

__all__ = ["Announced", "HandedOver", "TicksReceiver", "TicksSender"]
