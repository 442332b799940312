"""The installation that a command works on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aperiodic.lake import Lake, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["open_lake"]


@contextmanager
def open_lake() -> Iterator[Lake]:
    """Open the installation that the settings name, and close it afterwards."""
    lake = Lake.open(Settings())
    try:
        yield lake
    finally:
        lake.close()
