"""Temporary files in memory: tests lose no machine, so that waiting for a disk proves nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import psutil

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where Linux keeps files in memory
_ROOM: Final = 8 << 30
"""A run leaves less than half of it, bytes."""


def use_memory() -> None:
    """Keep temporary files of this process and of those it starts in memory, where there is plenty of it.

    Whoever sets `TMPDIR` decides.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) < _ROOM:
        return
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None
