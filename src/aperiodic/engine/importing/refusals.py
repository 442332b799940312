"""What a file that cannot be imported does to the others of its batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aperiodic.engine.errors import ImportSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Refusals"]


class Refusals:
    """Ends a batch at the first file that is refused, or tells of it and lets the batch go on."""

    def __init__(self, refused: Callable[[Path, ImportSourceError], None] | None) -> None:
        """Prepare a batch.

        Args:
            refused: Called with each file that is refused; None ends the batch with the error.
        """
        self._refused = refused
        self._paths: set[Path] = set()

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """Do something with a file; a refusal within is told, and leaves the `with` block."""
        try:
            yield
        except ImportSourceError as error:
            if self._refused is None:
                raise
            self._paths.add(path)
            self._refused(path, error)

    def __contains__(self, path: Path) -> bool:
        return path in self._paths
