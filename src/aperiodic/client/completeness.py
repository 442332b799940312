"""Telling the caller when part of the requested data does not exist, or was never recorded."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.client.errors import IncompleteDataWarning, SimulatedDataWarning, period_name
from aperiodic.market import IncompleteDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from aperiodic.client.links import FileLink, Links
    from aperiodic.client.request import DataRequest
    from aperiodic.client.types import OnIncomplete

__all__ = ["HOW_TO_SILENCE", "Remarks", "Shortfall"]

HOW_TO_SILENCE: Final = ' Silence this with on_incomplete="ignore".'
"""End of an `IncompleteDataWarning`, for who writes Python."""

_LISTED: Final = 24
_SERIES_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What the delivered data lacks.

    Attributes:
        series: The dataset and the instrument.
        missing: Months (or days) without a file.
        incomplete: Files that lack part of their period, with the number of gaps where it is known.
        each: What single series lack, where it is about several.
    """

    series: str
    missing: tuple[str, ...]
    incomplete: tuple[str, ...]
    each: tuple[Shortfall, ...] = ()

    @classmethod
    def of(cls, series: str, files: Sequence[FileLink], missing: Sequence[str]) -> Shortfall | None:
        """Return what the files lack, or None when there is nothing known to be missing."""
        incomplete = tuple(
            f"{link.period} ({link.gaps} gap{'s' if link.gaps > 1 else ''})" if link.gaps else link.period
            for link in files
            if not link.complete
        )
        if not missing and not incomplete:
            return None
        return cls(series, tuple(missing), incomplete)

    @classmethod
    def of_bars(cls, request: DataRequest, links: Links) -> Shortfall | None:
        """Return what an answer to a request for bars lacks; a server that does not say has files of what exists."""
        files, missing = links.files(), links.missing
        if missing is None:
            present = {link.key[:2] for link in files}
            missing = tuple(
                period_name(*month) for month in _months(request.start, request.end) if month not in present
            )
        return cls.of(request.series, files, missing)

    def __str__(self) -> str:
        sentences = [f"The data is not complete: {self.series}."]
        sentences += self.sentences()
        shown = [f"{one.series}: {' '.join(one.sentences())}" for one in self.each[:_SERIES_SHOWN]]
        if len(self.each) > len(shown):
            shown.append(f"And {len(self.each) - len(shown)} series more.")
        return " ".join(sentences + shown)

    def sentences(self) -> list[str]:
        """Say what is missing, without what of."""
        sentences = []
        if self.missing:
            sentences.append(f"No data for {_listing(self.missing)}.")
        if self.incomplete:
            sentences.append(f"Incomplete: {_listing(self.incomplete)}.")
        return sentences

    def error(self) -> IncompleteDataError:
        """Return the error for a caller who does not accept it."""
        return IncompleteDataError(
            str(self),
            code="incomplete_data",
            hint='Ask for days that exist, or accept the rest with on_incomplete="warn" or "ignore".',
        )


@dataclass(frozen=True, slots=True)
class Remarks:
    """What the caller should know of delivered data.

    Attributes:
        series: The dataset and the instrument.
        shortfall: What it lacks; None when there is nothing known to be missing.
        simulated: Whether any of it is simulated.
        on_incomplete: Whether the caller wants to hear what it lacks.
    """

    series: str
    shortfall: Shortfall | None
    simulated: bool
    on_incomplete: OnIncomplete

    @classmethod
    def of(
        cls, series: str, files: Sequence[FileLink], shortfall: Shortfall | None, on_incomplete: OnIncomplete
    ) -> Remarks:
        """Return what there is to know of some files.

        Raises:
            IncompleteDataError: They lack something, and the caller does not accept that.
        """
        if shortfall is not None and on_incomplete == "raise":
            raise shortfall.error()
        return cls(series, shortfall, any(link.source == "simulated" for link in files), on_incomplete)

    @classmethod
    def of_all(cls, requests: Sequence[DataRequest], listed: Sequence[Links]) -> Remarks:
        """Return the one verdict on several series.

        Raises:
            IncompleteDataError: As `of`.
        """
        on_incomplete = requests[0].on_incomplete
        files = [link for links in listed for link in links.files()]
        found = [Shortfall.of_bars(request, links) for request, links in zip(requests, listed, strict=True)]
        lacking = [shortfall for shortfall in found if shortfall is not None]
        if len(requests) == 1 or not lacking:
            series = requests[0].series if len(requests) == 1 else f"{len(requests)} series"
            return cls.of(series, files, lacking[0] if lacking else None, on_incomplete)
        whole = Shortfall(f"{len(lacking)} of {len(requests)} series", (), (), tuple(lacking))
        return cls.of(f"{len(requests)} series", files, whole, on_incomplete)

    def warnings(self) -> Iterator[tuple[str, type[Warning]]]:
        """Yield what to warn of, and the kind of warning."""
        if self.simulated:
            text = f"The data is simulated: {self.series} was made by a model, not recorded from a venue."
            yield text, SimulatedDataWarning
        if self.shortfall is not None and self.on_incomplete == "warn":
            yield f"{self.shortfall}{HOW_TO_SILENCE}", IncompleteDataWarning

    def tell(self, stacklevel: int) -> None:
        """Warn; the stack level counts from the caller, as in `warnings.warn`."""
        for text, category in self.warnings():
            warnings.warn(text, category, stacklevel + 1)


def _months(start: date, end: date) -> Iterator[tuple[int, int]]:
    for number in range(start.year * 12 + start.month - 1, end.year * 12 + end.month):
        yield number // 12, number % 12 + 1


def _listing(periods: Sequence[str]) -> str:
    shown = ", ".join(periods[:_LISTED])
    return shown if len(periods) <= _LISTED else f"{shown} and {len(periods) - _LISTED} more"
