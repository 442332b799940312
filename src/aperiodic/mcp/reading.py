"""Bars for an agent: of one series, between two times, and never more than this process should hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.completeness import HOW_TO_SILENCE
from aperiodic.client.fetch import remarks_of
from aperiodic.client.files import Meters
from aperiodic.client.frames import join, unique_times
from aperiodic.client.series import find_series
from aperiodic.market import Interval, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.client.core import Core
    from aperiodic.client.types import TimestampType

__all__ = ["MOST_COLUMNS", "Asked", "Reading", "read_bars"]

MOST_COLUMNS: Final = 64
_MOST_CELLS: Final = 30_000_000
_DAY: Final = timedelta(days=1)
_LENGTH_OF_DAY: Final = len("2025-05-01")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which bars.

    Attributes:
        metric: Dataset.
        exchange: Venue.
        symbol: Instrument.
        interval: Bar length.
        start: Earliest start of a bar, UTC without a zone.
        end: Bars start before it.
        timestamp: Clock.
        columns: Columns beside the time; None for all.
        preview: Ask for the free sample.
    """

    metric: str
    exchange: str
    symbol: str
    interval: str
    start: datetime
    end: datetime
    timestamp: TimestampType
    columns: tuple[str, ...] | None
    preview: bool

    @classmethod
    def parse(
        cls,
        metric: str,
        exchange: str,
        symbol: str,
        interval: str,
        start: str,
        end: str,
        *,
        timestamp: TimestampType,
        columns: Sequence[str] | None,
        preview: bool,
    ) -> Self:
        """Read the times, and refuse what is too much before anything is fetched.

        Raises:
            InvalidInputError: `bad_start`, `bad_end`, `inverted_range`, `unknown_interval`, `too_many_columns` or
                `range_too_large`.
        """
        begin, _ = _moment("start", start)
        until, is_day = _moment("end", end)
        if is_day:
            until = _following(until, _DAY)
        if begin >= until:
            raise InvalidInputError(
                f"start {start} is not before end {end}.",
                code="inverted_range",
                hint="A day as end is included; a time as end is not.",
            )
        chosen = None if columns is None else tuple(columns)
        if chosen is not None and len(chosen) > MOST_COLUMNS:
            raise InvalidInputError(
                f"These are {len(chosen)} columns.",
                code="too_many_columns",
                hint=f"Ask for at most {MOST_COLUMNS} at once.",
            )
        asked = cls(metric, exchange, symbol, interval, begin, until, timestamp, chosen, preview)
        if asked.possible_rows * asked.width > _MOST_CELLS:
            raise InvalidInputError(
                f"This range may have {asked.possible_rows:,} rows of {asked.width} columns.",
                code="range_too_large",
                hint=f"Rows times columns may be {_MOST_CELLS:,}: ask for a shorter range, a longer interval or fewer "
                "columns. Whole ranges are for aperiodic.get_metrics or scan_metrics in Python.",
            )
        return asked

    @property
    def possible_rows(self) -> int:
        """How many bars of this length the range has room for."""
        length = timedelta(microseconds=Interval.parse(self.interval).microseconds)
        return max(1, -(-(self.end - self.start) // length))

    @property
    def width(self) -> int:
        """How many columns there are beside the time; the most, where only the server knows."""
        if self.columns is not None:
            return max(1, len(self.columns))
        return len(DATASETS[self.metric].fields) if self.metric in DATASETS else MOST_COLUMNS

    @property
    def last_day(self) -> datetime:
        """A time of the last day of the range."""
        return self.end - timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes:
        frame: Bars of the range, ascending in time.
        notes: What to know of them: gaps, missing months, whether they are simulated.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]


async def read_bars(core: Core, asked: Asked, *, enough: int | None = None, newest: bool = False) -> Reading:
    """Read bars file by file.

    Args:
        core: Whom to ask.
        asked: Which bars.
        enough: Stop when there are so many rows; None to read all.
        newest: Begin with the last file.

    Raises:
        InvalidInputError: A value is not valid.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or is not what it should be.
        AperiodicDataError: `server_unreachable`. Base of all the above.
    """
    request = core.request(
        asked.metric,
        {
            "exchange": asked.exchange,
            "symbol": asked.symbol,
            "interval": asked.interval,
            "start_date": asked.start.date(),
            "end_date": asked.last_day.date(),
            "timestamp": asked.timestamp,
            "columns": asked.columns,
            "preview": asked.preview,
            "show_progress": False,
        },
    )
    within = (pl.col(TIME_COLUMN) >= asked.start) & (pl.col(TIME_COLUMN) < asked.end)
    async with core.session() as session:
        found = await find_series(session, request)
        series, remarks = found[0], remarks_of(found)
        files = series.links.files()
        frames: list[pl.DataFrame] = []
        for link in reversed(files) if newest else files:
            frames.append((await series.file(link, Meters([]))).filter(within))
            if enough is not None and sum(frame.height for frame in frames) >= enough:
                break
        frame = unique_times(join(frames[::-1] if newest else frames, await series.schema()))
    notes = tuple(text.removesuffix(HOW_TO_SILENCE) for text, _ in remarks.warnings())
    return Reading(frame, notes)


def _moment(name: str, text: str) -> tuple[datetime, bool]:
    """Return a time in UTC without a zone, and whether only a day was given."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"{name} {text[:100]!r} is neither a day nor a time.",
            code=f"bad_{name}",
            hint="Give a UTC day such as 2025-05-01 or a time such as 2025-05-01T12:30.",
        ) from None
    return moment, len(text.strip()) <= _LENGTH_OF_DAY


def _following(moment: datetime, step: timedelta) -> datetime:
    try:
        return moment + step
    except OverflowError:
        return datetime.max  # noqa: DTZ901 (times of bars have no zone)
