"""What `aperiodic doctor` finds, and words that other commands say as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aperiodic.engine.importing.files import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aperiodic.lake.recordings import Recording

__all__ = ["Finding", "cut_words", "strange_words"]


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


def cut_words(cut: Sequence[Recording]) -> str:
    """Say which recordings are shorter than their sidecars say."""
    more = f" and {len(cut) - 1:,} more" if len(cut) > 1 else ""
    return f"{printable(str(cut[0].path))}{more}: shorter than the sidecar says"


def strange_words(strange: Sequence[Path]) -> str:
    """Say which files among the recordings are taken for none."""
    more = f" and {len(strange) - 1:,} more" if len(strange) > 1 else ""
    return (
        f"{printable(str(strange[0]))}{more} in the folder of recordings: no name of a recording, so it is passed over"
    )
