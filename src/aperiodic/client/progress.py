"""The progress bar."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress"]


@contextmanager
def progress(
    title: str, total: int | None, unit: Literal["file", "B"], *, shown: bool
) -> Iterator[Callable[[int], object]]:
    """Draw a bar on standard error; what is yielded moves it by so many units.

    Args:
        title: Stands before the bar.
        total: Units at the end, or None when that is not known.
        unit: What is counted: files or bytes.
        shown: Whether to draw it at all.
    """
    if not shown:
        yield lambda _: None
        return
    # The plain bar, not tqdm.auto: in a notebook this runs in a thread of its own, where widgets do not draw.
    from tqdm import tqdm  # noqa: PLC0415 (only those who watch pay for the import)

    with tqdm(total=total, desc=title, unit=unit, unit_scale=unit == "B") as bar:
        yield bar.update
