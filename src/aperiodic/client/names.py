"""Names and columns that this version does not know: the server's catalog decides whether they exist.

Nothing is asked for names that are known here. An answer is kept for each address; a name that it lacks makes the
client ask anew, for the server may have learned it since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.bars_request import columns_by_dataset
from aperiodic.client.rest import get_json
from aperiodic.market import AperiodicDataError, Exchange, Interval, InvalidInputError, Stream, tick_schema
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from aperiodic.client.transport import Transport

__all__ = ["ServerNames"]

_TYPES: Final = {str(dtype): dtype for dtype in (pl.Float64(), pl.Int64(), pl.String(), pl.Boolean())} | {
    str(dtype): dtype for stream in Stream for dtype in tick_schema(stream).dtypes()
}


@dataclass(frozen=True, slots=True)
class _Catalog:
    """Names that a server declares, and the columns that belong to them.

    Attributes:
        metrics: Columns of each metric.
        driving: Stream whose events decide which bars exist, of each metric; None when the server does not say.
        intervals: Bar lengths.
        exchanges: Venues; none when the server does not say.
        ticks: Columns of each kind of ticks; empty until they were asked for.
    """

    metrics: Mapping[str, pl.Schema] = field(default_factory=dict)
    driving: Mapping[str, str | None] = field(default_factory=dict)
    intervals: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    ticks: Mapping[str, pl.Schema] = field(default_factory=dict)


_CATALOG: Final = "catalog"
_RAW: Final = "raw"

_answers: dict[tuple[str, str], _Catalog] = {}


class ServerNames:
    """What one server says that can be asked for, beside what is known here."""

    def __init__(self, transport: Transport, base_url: str) -> None:
        self._transport = transport
        self._base_url = base_url

    async def check_metric(self, metric: str, family: Collection[str] | None) -> None:
        """Refuse a dataset that exists nowhere, or that none of the family's streams drives.

        Raises:
            InvalidInputError: `unknown_metric`.
        """
        known = [name for name, declared in DATASETS.items() if family is None or declared.driving in family]
        if metric in DATASETS and metric not in known:
            raise unknown_value("metric", metric, known)

        def declared(catalog: _Catalog) -> list[str]:
            return [
                name
                for name, driving in catalog.driving.items()
                if name not in DATASETS and (family is None or driving is None or driving in family)
            ]

        await self._check("metric", metric, known, _CATALOG, declared)

    async def check_interval(self, interval: str) -> None:
        """Refuse a bar length that exists nowhere.

        Raises:
            InvalidInputError: `unknown_interval`.
        """
        await self._check("interval", interval, list(Interval), _CATALOG, lambda catalog: catalog.intervals)

    async def check_exchange(self, exchange: str) -> None:
        """Refuse a venue that exists nowhere.

        Raises:
            InvalidInputError: `unknown_exchange`.
        """
        await self._check("exchange", exchange, list(Exchange), _CATALOG, lambda catalog: catalog.exchanges)

    async def check_ticks(self, dataset: str) -> None:
        """Refuse a kind of ticks that exists nowhere.

        Raises:
            InvalidInputError: `unknown_dataset`.
        """
        await self._check("dataset", dataset, list(Stream), _RAW, lambda catalog: catalog.ticks)

    async def exchanges(self) -> tuple[str, ...]:
        """Return the venues that the server declares; those known here when it does not say.

        Raises:
            APIError: The server answered with an error.
            AperiodicDataError: `server_unreachable`.
        """
        return (await self._ask(_CATALOG)).exchanges or tuple(map(str, Exchange))

    async def metric_columns(self, metric: str) -> pl.Schema | None:
        """Return the columns that the server declares for a dataset; None when it does not say."""
        return await self._columns(_CATALOG, lambda catalog: catalog.metrics.get(metric))

    async def find_columns(self, columns: Sequence[str], datasets: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return which of some columns each dataset has; the server is asked for those that are not known here.

        Raises:
            InvalidInputError: `unknown_column`.
        """
        known = {name: tuple(DATASETS[name].schema) if name in DATASETS else () for name in datasets}
        try:
            return columns_by_dataset(columns, known)
        except InvalidInputError:
            declared = {name: tuple(await self.metric_columns(name) or ()) for name in datasets}
            return columns_by_dataset(columns, {name: (*known[name], *declared[name]) for name in datasets})

    async def tick_columns(self, dataset: str) -> pl.Schema | None:
        """Return the columns that the server declares for a kind of ticks; None when it does not say."""
        return await self._columns(_RAW, lambda catalog: catalog.ticks.get(dataset))

    async def _columns(self, source: str, pick: Callable[[_Catalog], pl.Schema | None]) -> pl.Schema | None:
        try:
            return pick(_answers.get((self._base_url, source)) or await self._ask(source))
        except AperiodicDataError:
            return None  # it matters only where something else is wrong, of which the caller tells

    async def _check(
        self,
        kind: str,
        name: str,
        known: Collection[str],
        source: str,
        declared: Callable[[_Catalog], Iterable[str]],
    ) -> None:
        if name in known:
            return
        answer = _answers.get((self._base_url, source))
        if answer is None or name not in declared(answer):
            try:
                answer = await self._ask(source)
            except AperiodicDataError as error:
                unknown = unknown_value(kind, name, known)
                hint = f"{unknown.hint} What else the server has could not be asked: {error.message}"
                raise InvalidInputError(unknown.message, code=unknown.code, hint=hint) from error
        if name not in declared(answer):
            raise unknown_value(kind, name, dict.fromkeys([*known, *declared(answer)]))

    async def _ask(self, source: str) -> _Catalog:
        body = await get_json(self._transport, f"{self._base_url}/metadata/{source}", params={}, api_key=None)
        answer = _read_catalog(body) if source == _CATALOG else _Catalog(ticks=_read_ticks(body))
        _answers[self._base_url, source] = answer
        return answer


def _read_catalog(body: Mapping[str, Any]) -> _Catalog:
    """Read what can be read of a catalog; other servers tell less, later ones more."""
    entries = [entry for entry in _list(body.get("metrics")) if isinstance(entry, dict) and _is_text(entry.get("id"))]
    return _Catalog(
        metrics={
            entry["id"]: _schema({TIME_COLUMN: pl.Datetime("us")}, entry["fields"])
            for entry in entries
            if _list(entry.get("fields"))
        },
        driving={entry["id"]: entry["driving"] if _is_text(entry.get("driving")) else None for entry in entries},
        intervals=tuple(dict.fromkeys(text for entry in entries for text in _texts(entry.get("intervals")))),
        exchanges=tuple(_texts(body.get("exchanges"))),
    )


def _read_ticks(body: Mapping[str, Any]) -> dict[str, pl.Schema]:
    datasets = body.get("datasets")
    return {
        name: _schema({}, entry.get("columns"))
        for name, entry in (datasets if isinstance(datasets, dict) else {}).items()
        if isinstance(entry, dict)
    }


def _schema(first: Mapping[str, pl.DataType], columns: object) -> pl.Schema:
    """Return the columns that are listed; `Unknown` stands for a type that this version cannot name."""
    named = [column for column in _list(columns) if isinstance(column, dict) and _is_text(column.get("name"))]
    return pl.Schema(
        {**first, **{column["name"]: _TYPES.get(str(column.get("type")), pl.Unknown()) for column in named}}
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [item for item in _list(value) if _is_text(item)]


def _is_text(value: object) -> bool:
    return isinstance(value, str)
