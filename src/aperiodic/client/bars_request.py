"""A request for bars of one series or of several: which series, and how they become one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self, get_args

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.grid import Grid
from aperiodic.client.request import REQUIRED, DataRequest, parse_choice, parse_texts
from aperiodic.client.types import Fill, Shape
from aperiodic.market import InvalidInputError
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["BarsRequest", "columns_by_dataset"]

_MOST_SERIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class BarsRequest:
    """Some series over the same days, and the frame that they become.

    Attributes:
        each: One request for each series: instrument by instrument, and of each its datasets.
        keys: Columns that tell the series apart in a long frame: `exchange`, `symbol`, or none.
        shape: `long` or `wide`.
        columns: Columns to fetch, as the caller named them; None for all.
        fill: What to do about intervals without a row.
    """

    each: tuple[DataRequest, ...]
    keys: tuple[str, ...]
    shape: Shape
    columns: tuple[str, ...] | None = None
    fill: Fill = "none"

    @property
    def first(self) -> DataRequest:
        """The first one; apart from the names of the series all are alike."""
        return self.each[0]

    @property
    def title(self) -> str:
        """What is asked for, before a progress bar."""
        request = self.first
        return f"{request.metric} {request.symbol}" if len(self.each) == 1 else f"{len(self.each)} series"

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets, each once."""
        return tuple(dict.fromkeys(request.metric for request in self.each))

    def grid(self) -> Grid | None:
        """Return the rows to complete each frame to; None when no row is made up.

        Raises:
            InvalidInputError: `unknown_interval` for one whose length is not known here, or `grid_too_large`.
        """
        if self.fill == "none":
            return None
        return Grid.of_days(self.first.interval, self.first.start, self.first.end, len(self.each))

    def refuse_fill(self) -> None:
        """Refuse to make up rows, for what delivers files as they are.

        Raises:
            InvalidInputError: `unknown_fill`.
        """
        if self.fill != "none":
            raise InvalidInputError(
                "Here no rows are made up.",
                code="unknown_fill",
                hint="Leave out fill, and pass the collected frame to aperiodic.fill.",
            )

    def narrowed(self, columns: Mapping[str, tuple[str, ...]]) -> Self:
        """Return a request for these columns of each dataset; one of which none is wanted is left out.

        Args:
            columns: Of each dataset, without the time; where all are empty, only the times are wanted.
        """
        wanted = {name for name, fields in columns.items() if fields} or set(columns)
        each = (replace(request, columns=columns[request.metric]) for request in self.each if request.metric in wanted)
        return replace(self, each=tuple(each))

    @classmethod
    def parse(
        cls,
        metric: object,
        *,
        exchange: object = REQUIRED,
        symbol: object = REQUIRED,
        columns: Iterable[str] | None = None,
        shape: Shape = "long",
        fill: Fill = "none",
        **options: Any,  # noqa: ANN401 (checked by DataRequest)
    ) -> Self:
        """Check every value.

        Args:
            metric: One dataset or several.
            exchange: One venue or several.
            symbol: One instrument or several.
            columns: Columns to fetch; `flow.volume` is that of one dataset.
            shape: How several series become one frame.
            fill: What to do about intervals without a row.
            options: As of `DataRequest.parse`.

        Raises:
            InvalidInputError: A value is missing or not valid; its `code` says which and how.
        """
        names = {
            "metric": parse_texts("metric", metric),
            "exchange": parse_texts("exchange", exchange),
            "symbol": parse_texts("symbol", symbol),
        }
        parse_choice("shape", shape, get_args(Shape))
        parse_choice("fill", fill, get_args(Fill))
        chosen = None if columns is None else parse_texts("columns", columns)
        count = len(names["metric"]) * len(names["exchange"]) * len(names["symbol"])
        if count > _MOST_SERIES:
            raise InvalidInputError(
                f"These are {count:,} series.",
                code="too_many_series",
                hint=f"Ask for at most {_MOST_SERIES:,} at once.",
            )
        each = tuple(
            DataRequest.parse(dataset, exchange=venue, symbol=instrument, **options)
            for venue in names["exchange"]
            for instrument in names["symbol"]
            for dataset in names["metric"]
        )
        given = {"exchange": exchange, "symbol": symbol}
        keys = tuple(name for name, value in given.items() if not isinstance(value, str))
        request = cls(each, keys, shape, chosen, fill)
        request.grid()
        return request


def columns_by_dataset(columns: Sequence[str], known: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    """Return which of some columns each dataset has; the time is not among them, for every frame has it.

    Args:
        columns: Names as the caller gave them: `flow.volume` is that of one dataset.
        known: Names of the columns of each dataset.

    Raises:
        InvalidInputError: `unknown_column` for one that none of them has.
    """
    found: dict[str, list[str]] = {name: [] for name in known}
    for column in columns:
        dataset, dot, name = column.rpartition(".")
        holders = [each for each, fields in known.items() if (not dot or each == dataset) and name in fields]
        if not holders:
            raise _unknown_column(column, known)
        for each in holders:
            if name != TIME_COLUMN and name not in found[each]:
                found[each].append(name)
    return {name: tuple(fields) for name, fields in found.items()}


def _unknown_column(column: str, known: Mapping[str, Collection[str]]) -> InvalidInputError:
    error = unknown_value("column", column, dict.fromkeys(field for fields in known.values() for field in fields))
    name = column.rpartition(".")[2]
    others = [each for each, dataset in DATASETS.items() if each not in known and name in dataset.schema]
    if not others:
        return error
    hint = f"It is a column of {', '.join(others)}, not of {', '.join(known)}. {error.hint}"
    return InvalidInputError(error.message, code=error.code, hint=hint)
