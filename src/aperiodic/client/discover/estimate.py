"""`estimate`: how much a request would fetch, and what it would lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from aperiodic.client.completeness import Shortfall
from aperiodic.client.discover.rendering import byte_text, table_html, table_text, text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.client.series import Series

__all__ = ["Estimate", "SeriesEstimate"]

_SCHEMA: Final = pl.Schema(
    {
        "exchange": pl.String(),
        "symbol": pl.String(),
        "metric": pl.String(),
        "interval": pl.String(),
        "timestamp": pl.String(),
        "period": pl.String(),
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "revision": pl.Int64(),
        "complete": pl.Boolean(),
        "gaps": pl.Int64(),
        "source": pl.String(),
    }
)
_SHOWN: Final = 20
_PERIODS_SHOWN: Final = 6
_HEADINGS: Final = ("series", "files", "rows", "bytes", "missing", "incomplete")


@dataclass(frozen=True, slots=True)
class SeriesEstimate:
    """One dataset of one instrument.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        metric: Dataset.
        files: Number of files.
        rows: Rows of these files; None when the server does not say.
        bytes: Their size; None when the server does not say.
        missing: Months (or days) without a file.
        incomplete: Months (or days) whose file lacks part of them.
    """

    exchange: str
    symbol: str
    metric: str
    files: int
    rows: int | None
    bytes: int | None
    missing: tuple[str, ...]
    incomplete: tuple[str, ...]

    @property
    def name(self) -> str:
        """Which one it is, in words."""
        return f"{self.metric} of {self.symbol} on {self.exchange}"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Estimate:
    """How much a request would fetch; plain text when printed, a table in a notebook.

    Files hold whole months: `rows` and `bytes` are those of the files, of which a range that begins or ends within a
    month delivers fewer. What the cache holds is fetched no more, and with `columns` less is transferred.

    Attributes:
        series: What is known of each series, in the order of the request.
        frame: A row for each file: `exchange`, `symbol`, `metric`, `interval`, `timestamp`, `period` (month or day),
            `rows` and `bytes` and `revision` (null when the server does not say), `complete`, `gaps` (how many are
            known), `source` (null when the server does not say).
    """

    series: tuple[SeriesEstimate, ...]
    frame: pl.DataFrame

    @classmethod
    def of(cls, found: Sequence[Series]) -> Self:
        """Return what the links of some series tell."""
        rows = [
            (
                one.request.exchange,
                str(one.request.symbol),
                one.request.metric,
                one.request.interval,
                one.request.clock.value,
                link.period,
                link.rows,
                link.size,
                link.revision,
                link.complete,
                link.gaps,
                link.source,
            )
            for one in found
            for link in one.links.files()
        ]
        return cls(tuple(map(_series, found)), pl.DataFrame(rows, schema=_SCHEMA, orient="row"))

    @property
    def files(self) -> int:
        """Number of files."""
        return self.frame.height

    @property
    def rows(self) -> int | None:
        """Rows of all files; None when the server does not say of one."""
        return _sum([one.rows for one in self.series])

    @property
    def bytes(self) -> int | None:
        """Size of all files; None when the server does not say of one."""
        return _sum([one.bytes for one in self.series])

    @property
    def missing(self) -> dict[str, tuple[str, ...]]:
        """Months without a file, of each series that lacks some: `flow of perpetual-BTC-USDT:USDT on …`."""
        return {one.name: one.missing for one in self.series if one.missing}

    @property
    def incomplete(self) -> dict[str, tuple[str, ...]]:
        """Months whose file lacks part of them, likewise."""
        return {one.name: one.incomplete for one in self.series if one.incomplete}

    def __repr__(self) -> str:
        return str(self).rstrip()

    def __str__(self) -> str:
        lines = [self._total()]
        rows = [_cells(one) for one in self._shown()]
        table = table_text([_HEADINGS, *rows], text_width()) if rows else ""
        return "\n".join(lines) + "\n" + table + self._rest()

    def _repr_html_(self) -> str:
        rows = [_cells(one) for one in self._shown()]
        return f"<p>{self._total()}</p>" + (table_html(_HEADINGS, rows) if rows else "") + f"<p>{self._rest()}</p>"

    def _total(self) -> str:
        count = len(self.series)
        lacking = sum(1 for one in self.series if one.missing or one.incomplete)
        verdict = f"{lacking} of them not complete" if lacking else "all complete"
        return (
            f"{count:,} series ({verdict}), {self.files:,} file{'' if self.files == 1 else 's'}, "
            f"{_number(self.rows)} rows, {_bytes(self.bytes)}"
        )

    def _shown(self) -> Sequence[SeriesEstimate]:
        """The series to show: where there are many, those that lack something first."""
        if len(self.series) <= _SHOWN:
            return self.series
        return sorted(self.series, key=lambda one: not (one.missing or one.incomplete))[:_SHOWN]

    def _rest(self) -> str:
        more = len(self.series) - _SHOWN
        return f"And {more:,} series more; all files are in .frame.\n" if more > 0 else ""


def _series(found: Series) -> SeriesEstimate:
    request, links = found.request, found.links
    files = links.files()
    shortfall = Shortfall.of_bars(request, links)
    return SeriesEstimate(
        exchange=request.exchange,
        symbol=str(request.symbol),
        metric=request.metric,
        files=len(files),
        rows=_sum([link.rows for link in files]),
        bytes=_sum([link.size for link in files]),
        missing=() if shortfall is None else shortfall.missing,
        incomplete=tuple(link.period for link in files if not link.complete),
    )


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _cells(one: SeriesEstimate) -> tuple[str, ...]:
    size = f"{one.files:,}", _number(one.rows), _bytes(one.bytes)
    return (one.name, *size, _listing(one.missing), _listing(one.incomplete))


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _bytes(value: int | None) -> str:
    return "unknown size" if value is None else byte_text(value)


def _listing(periods: Sequence[str]) -> str:
    shown = ", ".join(periods[:_PERIODS_SHOWN])
    return shown if len(periods) <= _PERIODS_SHOWN else f"{shown} and {len(periods) - _PERIODS_SHOWN} more"
