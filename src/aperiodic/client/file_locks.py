"""Locks of open files between processes; the system releases those of a process that ends."""

from __future__ import annotations

from typing import IO

__all__ = ["take_lock"]

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def take_lock(file: IO[bytes]) -> bool:
        """Lock a file until it is closed; return False when another one holds the lock."""
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

else:

    def take_lock(file: IO[bytes]) -> bool:
        """Lock a file until it is closed; return False when another one holds the lock."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
