"""The tools that agents call; what stands in their docstrings, agents read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
from pydantic import Field

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.discover.asking import ask_coverage, ask_description, ask_search
from aperiodic.client.types import CoverageBy
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.mcp.answers import MOST_ROWS, table_text
from aperiodic.mcp.reading import MOST_COLUMNS, Asked, read_bars
from aperiodic.mcp.statistics import Per, statistics_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from aperiodic.client.core import Core

__all__ = ["Tools"]

_Dataset = Annotated[str, Field(description="Dataset, such as flow or ohlcv; catalog lists them.")]
_Exchange = Annotated[str, Field(description=f"Venue: {', '.join(Exchange)}.")]
_Symbol = Annotated[str, Field(description="Instrument, such as perpetual-BTC-USDT:USDT; symbols lists them.")]
_Interval = Annotated[str, Field(description=f"Bar length: {', '.join(Interval)}.")]
_Start = Annotated[str, Field(description="First UTC day (2025-05-01), or time of the first bar (2025-05-01T12:30).")]
_End = Annotated[str, Field(description="Last UTC day, included; or a time, which is not included.")]
_Columns = Annotated[
    list[str] | None, Field(description=f"Columns beside the time, at most {MOST_COLUMNS}; by default all of them.")
]
_Clock = Annotated[
    Literal["exchange", "true"],
    Field(description="Clock of the bars: the venue's time, or the time of arrival at the capture host (true)."),
]
_By = Annotated[CoverageBy, Field(description="What a row is.")]
_Preview = Annotated[bool, Field(description="Ask for the free sample, for which no key is needed.")]
_Most = Annotated[int, Field(ge=1, le=MOST_ROWS, description="How many rows to return at most.")]
_Text = Annotated[str, Field(max_length=200, description="Words to look for; they may be mistyped.")]
_Name = Annotated[str, Field(max_length=200, description="Dataset (flow), field of it (flow.flow_entropy), or field.")]
_Contains = Annotated[str, Field(max_length=100, description="Only names with this text in them, such as BTC.")]


class Tools:
    """What agents may ask; each method is a tool, and its answer JSON.

    Args:
        core: Whom to ask.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def catalog(self) -> str:
        """List all datasets of bars, with the intervals, the clocks and the venues there are."""
        facts = {"intervals": list(Interval), "clocks": list(Clock), "exchanges": list(Exchange)}
        described = await ask_description(self._core, None)
        return _whole(described.frame, "Use search.", facts)

    async def describe(self, name: _Name) -> str:
        """Say what the fields of a dataset are, or one field: unit, description, formula, and when it is null."""
        described = await ask_description(self._core, name)
        return _whole(described.frame, "Name one field: dataset.field.", {"name": name, "kind": described.kind})

    async def search(self, text: _Text, limit: _Most = 20) -> str:
        """Find datasets and fields by words of their names, labels and descriptions; the best fit comes first."""
        found = await ask_search(self._core, text, limit + 1, server=False)
        return table_text(found.columns, found.rows(), most=limit, cut=_hint("Add words, or raise limit (200)."))

    async def symbols(self, exchange: _Exchange, contains: _Contains = "") -> str:
        """List the instruments of a venue that the server has data of."""
        names = await self._core.symbols(exchange)
        rows = [[name] for name in names if contains.casefold() in name.casefold()]
        return table_text(["symbol"], rows, facts={"found": len(rows)}, cut=_hint("Narrow it with contains."))

    async def coverage(
        self, exchange: _Exchange, symbol: _Symbol, metric: _Dataset | None = None, by: _By = "series"
    ) -> str:
        """Tell what is published of an instrument and whether to trust it: a row for each dataset (series), month or gap.

        Of gaps the server tells the first 1,000 when a dataset is named, else the first 20 of each.
        """
        frame = await ask_coverage(self._core, exchange, symbol, metric, by)
        return _whole(frame, "Name a metric, or ask by series.", {})

    async def slice(
        self,
        metric: _Dataset,
        exchange: _Exchange,
        symbol: _Symbol,
        interval: _Interval,
        start: _Start,
        end: _End,
        columns: _Columns = None,
        timestamp: _Clock = "exchange",
        limit: _Most = 50,
        newest: Annotated[bool, Field(description="Return the last rows of the range, not the first ones.")] = False,
        preview: _Preview = False,
    ) -> str:
        """Return some bars of a dataset, ascending in time.

        A row is the bar that begins at `time` (UTC); it is known at its end. Bars in which nothing happened have no row.
        When `cut` is not null there are more: ask again with what `cut` names in place of start or end.
        """
        asked = Asked.parse(
            *(metric, exchange, symbol, interval, start, end), timestamp=timestamp, columns=columns, preview=preview
        )
        reading = await read_bars(self._core, asked, enough=limit + 1, newest=newest)
        frame = reading.frame.tail(limit + 1) if newest else reading.frame.head(limit + 1)
        left_out = frame.columns[MOST_COLUMNS + 1 :]
        notes = list(reading.notes)
        if left_out:
            frame = frame.drop(left_out)
            notes.append(f"{len(left_out)} columns are left out; name them in columns.")
        times = frame.get_column(TIME_COLUMN)

        def cut(shown: range) -> dict[str, object]:
            following = {"end": _time(times[shown.start])} if newest else {"start": _time(times[shown.stop])}
            return {"continue_with": following}

        return table_text(
            frame.columns, frame.rows(), most=limit, from_end=newest, cut=cut, facts=_facts(asked), notes=notes
        )

    async def statistics(
        self,
        metric: _Dataset,
        exchange: _Exchange,
        symbol: _Symbol,
        interval: _Interval,
        start: _Start,
        end: _End,
        columns: _Columns = None,
        per: Annotated[
            Per, Field(description="What a group of rows is: all of them, a day, a month, or an hour of the day (UTC).")
        ] = "all",
        timestamp: _Clock = "exchange",
        preview: _Preview = False,
    ) -> str:
        """Return count, nulls, mean, std, min, p05, median, p95, max, sum, first and last of columns of bars.

        They are computed here from all bars of the range. `rows` of `possible_rows` bars exist: those in which nothing
        happened, or that were not recorded, have no row.
        """
        asked = Asked.parse(
            *(metric, exchange, symbol, interval, start, end), timestamp=timestamp, columns=columns, preview=preview
        )
        reading = await read_bars(self._core, asked)
        told = statistics_frame(reading.frame, per)
        facts = {
            **_facts(asked),
            "found": told.height,
            "rows": reading.frame.height,
            "possible_rows": asked.possible_rows,
        }
        if not reading.frame.is_empty():
            bounds = reading.frame.select(first=pl.col(TIME_COLUMN).min(), last=pl.col(TIME_COLUMN).max()).row(0)
            facts |= {"first_bar": _time(bounds[0]), "last_bar": _time(bounds[1])}
        return table_text(
            told.columns,
            told.rows(),
            facts=facts,
            notes=reading.notes,
            cut=_hint("Ask for fewer columns or groups."),
        )


def _whole(frame: pl.DataFrame, hint: str, facts: Mapping[str, object]) -> str:
    """Return a frame of which all rows are known."""
    return table_text(frame.columns, frame.rows(), facts={**facts, "found": frame.height}, cut=_hint(hint))


def _hint(text: str) -> Callable[[range], Mapping[str, object]]:
    return lambda _: {"hint": text}


def _time(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"


def _facts(asked: Asked) -> dict[str, object]:
    return {
        "metric": asked.metric,
        "exchange": asked.exchange,
        "symbol": asked.symbol,
        "interval": asked.interval,
        "timestamp": asked.timestamp,
    }
