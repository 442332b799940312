"""How many live connections a key has, over all processes of an installation on one machine."""

from __future__ import annotations

import importlib.util
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Places"]

_HAS_LOCKS: Final = importlib.util.find_spec("fcntl") is not None


class Places:
    """Places for connections: each is a locked byte of a file of its key, which a process that ends gives back.

    Where there are no such files, as on a full disk, or no such locks, only this process counts.

    Args:
        home: Folder of the installation.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "streams"
        self._lock = threading.Lock()
        self._taken: dict[str, set[int]] = {}
        self._files: dict[str, BinaryIO] = {}

    def take(self, key: str, most: int) -> int | None:
        """Take a place and return its number; None when a key has `most` connections. A thread may ask."""
        with self._lock:
            taken = self._taken.setdefault(key, set())
            file = self._open(key)
            for number in range(most):
                if number not in taken and (file is None or _take(file, number)):
                    taken.add(number)
                    return number
            self._close_if_empty(key)
            return None

    def give_back(self, key: str, number: int) -> None:
        """Let another connection of a key have a place."""
        with self._lock:
            self._taken[key].discard(number)
            if key in self._files:
                _give_back(self._files[key], number)
            self._close_if_empty(key)

    def _open(self, key: str) -> BinaryIO | None:
        # Once for all of its places: closing any file of the same path would give all of them back.
        if key not in self._files and _HAS_LOCKS:
            with suppress(OSError):
                self._folder.mkdir(exist_ok=True)
                self._files[key] = (self._folder / (key or "demo")).open("ab")
        return self._files.get(key)

    def _close_if_empty(self, key: str) -> None:
        if not self._taken[key]:
            del self._taken[key]
            file = self._files.pop(key, None)
            if file is not None:
                file.close()


def _take(file: BinaryIO, number: int) -> bool:
    """Return whether no other process had the place."""
    import fcntl  # noqa: PLC0415 - not on every system

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _give_back(file: BinaryIO, number: int) -> None:
    import fcntl  # noqa: PLC0415 - not on every system

    with suppress(OSError):
        fcntl.lockf(file, fcntl.LOCK_UN, 1, number)
