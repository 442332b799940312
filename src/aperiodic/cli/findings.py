"""What `aperiodic doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        state: Whether it is well, worth a look, or in the way of work.
        detail: What was found.
        hint: What to do; empty where all is well.
    """

    check: str
    state: Literal["ok", "warning", "problem"]
    detail: str
    hint: str = ""
