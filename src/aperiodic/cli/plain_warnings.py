"""The client's warnings on a terminal."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["warnings_in_plain_words"]


@contextmanager
def warnings_in_plain_words() -> Iterator[None]:
    """Print the client's warnings as soon as they come, a line each, without what is for programmers."""
    from aperiodic.client.completeness import HOW_TO_SILENCE  # noqa: PLC0415 (not for --help)
    from aperiodic.client.errors import IncompleteDataWarning, SimulatedDataWarning  # noqa: PLC0415
    from aperiodic.client.stream_messages import StreamWarning  # noqa: PLC0415

    kinds = (IncompleteDataWarning, SimulatedDataWarning, StreamWarning)

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, kinds):
            sys.stderr.write(f"warning: {str(message).removesuffix(HOW_TO_SILENCE)}\n")
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.showwarning = show
        for kind in kinds:
            warnings.simplefilter("always", kind)
        yield
