"""Rows of a stream as a frame."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.forks import note_use
from aperiodic.market import AperiodicDataError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.client.stream_messages import StreamMessage

__all__ = ["KEPT_ROWS", "Rows"]

KEPT_ROWS: Final = 20_000
_MOST: Final = 1_000_000
_KEYS: Final = {TIME_COLUMN: pl.Datetime("us"), "symbol": pl.String(), "interval": pl.String()}
_STATE: Final = {"complete": pl.Boolean(), "revision": pl.Int64()}


class Rows:
    """The newest rows, one for each channel, symbol and time.

    Args:
        most: How many to keep; the oldest give way.
    """

    def __init__(self, most: int = KEPT_ROWS) -> None:
        self._most = most
        self._messages: dict[tuple[object, ...], StreamMessage] = {}
        self._unnamed = 0

    @classmethod
    def next(cls, n: object) -> Self:
        """Return room for so many rows.

        Raises:
            InvalidInputError: `bad_n`.
        """
        if not isinstance(n, int) or isinstance(n, bool) or not 0 < n <= _MOST:
            raise InvalidInputError(
                f"n is {n!r}.", code="bad_n", hint=f"Give a whole number from 1 to {_MOST:,}, or nothing."
            )
        return cls(n)

    @property
    def full(self) -> bool:
        """Whether there are as many as fit."""
        return len(self._messages) >= self._most

    def add(self, message: StreamMessage) -> None:
        """Take a row; a corrected one takes the place of the one before."""
        key: tuple[object, ...] = (message.channel, message.symbol, message.time_us)
        if None in key:
            self._unnamed += 1
            key = (*key, self._unnamed)
        known = self._messages.get(key)
        if known is None or message.revision >= known.revision:
            self._messages[key] = message
        if len(self._messages) > self._most:
            del self._messages[next(iter(self._messages))]

    def frame(self, channel: str | None, *, otherwise: str | None) -> pl.DataFrame:
        """Return the rows of a channel, or all.

        Args:
            channel: Which; None for all.
            otherwise: The channel whose columns an empty frame has, where none is named.

        Raises:
            InvalidInputError: `several_datasets`.
            AperiodicDataError: `unexpected_schema`.
        """
        note_use()
        chosen = [message for message in list(self._messages.values()) if channel in {None, message.channel}]
        channels = list(dict.fromkeys(message.channel for message in chosen)) or [channel or otherwise or ""]
        datasets = {name.partition(".")[0] for name in channels}
        if len(datasets) > 1:
            raise InvalidInputError(
                f"The rows are of several datasets: {', '.join(sorted(datasets))}.",
                code="several_datasets",
                hint=f"Name one channel: frame(channel={channels[0]!r}).",
            )
        dataset = DATASETS.get(datasets.pop())
        schema = _KEYS | dict(dataset.schema if dataset is not None else {}) | _STATE
        rows = [message.data for message in chosen]
        others = dict.fromkeys(name for row in rows for name in row if name not in schema)
        columns = [_typed(name, [row.get(name) for row in rows], dtype) for name, dtype in schema.items()]
        columns += [pl.Series(name, [row.get(name) for row in rows], strict=False) for name in others]
        if len(channels) > 1 and "channel" not in others:
            columns.insert(0, pl.Series("channel", [message.channel for message in chosen], pl.String))
        return pl.DataFrame(columns).sort(TIME_COLUMN, maintain_order=True)


def _typed(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    try:
        if dtype == pl.Float64():
            return pl.Series(name, [None if value is None else _number(value) for value in values], dtype)
        if name == TIME_COLUMN:
            return pl.Series(
                name, [None if value is None else operator.index(value) for value in values], pl.Int64
            ).cast(dtype)
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise AperiodicDataError(
            f"The stream sent a value of {name} that is no {dtype}: {str(error)[:200]}",
            code="unexpected_schema",
            hint="Tell the operator of the server; the rows themselves have it as it came (StreamMessage.data).",
        ) from error


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"{value!r} is not a number")
