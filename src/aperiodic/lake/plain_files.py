"""Opening an object of a folder as the plain file that it has to be, never through a symbolic link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

__all__ = ["open_plain"]

# A link is refused, and a named pipe does not hang. Systems that lack a flag do without it.
_FLAGS: Final = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")
)
_FOLDER_FLAGS: Final = _FLAGS | getattr(os, "O_DIRECTORY", 0)
_STEPWISE: Final = os.open in os.supports_dir_fd
_NO_PLAIN_FILE: Final = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})
"""What systems say of a link, a file in place of a folder, a folder in place of a file, a socket."""


def open_plain(folder: Path, path: str) -> FileIO:
    """Open an object for reading.

    Args:
        folder: The store's folder; it may itself be a symbolic link.
        path: Path of the object below it.

    Raises:
        FileNotFoundError: It is not there, or it or a folder on the way to it is a symbolic link, or no plain file.
        OSError: The system refused.
    """
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    try:
        descriptor = _descend(folder, parts) if _STEPWISE else _walk(folder, parts)
    except OSError as error:
        if error.errno in _NO_PLAIN_FILE:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return os.fdopen(descriptor, "rb", buffering=0)


def _descend(folder: Path, parts: tuple[str, ...]) -> int:
    """Open one folder after the other from within the one before, so that nobody can put a link in between."""
    inside = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        for name in parts[:-1]:
            following = os.open(name, _FOLDER_FLAGS, dir_fd=inside)
            os.close(inside)
            inside = following
        return os.open(parts[-1], _FLAGS, dir_fd=inside)
    finally:
        os.close(inside)


def _walk(folder: Path, parts: tuple[str, ...]) -> int:
    """Do the same, as well as it can be done, where the system opens by whole paths only."""
    for name in parts:
        folder /= name
        if folder.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
    return os.open(folder, _FLAGS)
