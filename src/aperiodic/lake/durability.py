"""Making sure that a file is whole, and that what was written outlives a power cut."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["replace_whole", "sync_to_disk"]


def sync_to_disk(path: Path) -> None:
    """Wait until the disk has a file's content, or the names that a folder holds.

    Raises:
        OSError: The system refused, for example because the disk is full.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_whole(path: Path, data: bytes) -> None:
    """Write a small file that one writer makes again and again; who reads it finds it whole, old or new.

    Raises:
        OSError: The system refused.
    """
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)
