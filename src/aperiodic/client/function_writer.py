"""Writes the SDK's functions and types from the catalog: `python -m aperiodic.client.function_writer` (`make docs`).

They are written out, so that an editor shows their words and a type checker knows which parameters are required. Each
has overloads: one for each way to pass the required parameters (all by position, or by name after the optional ones),
times one for each library of the returned frame.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS, TIME_COLUMN, MetricGroup
from aperiodic.market import Clock, Exchange, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aperiodic.catalog import Dataset, Field

__all__ = ["modules", "write"]

_WIDTH: Final = 120
_ORIGIN: Final = "Made by `make docs` (client/function_writer.py) from the catalog: change it there."


@dataclass(frozen=True, slots=True)
class _Function:
    """One function and its async twin.

    Attributes:
        name: Public name of the blocking one.
        summary: First line of its docstring.
        dataset: The dataset that it fetches, or None when the caller names one.
        metric_type: Type of the parameter `metric`, where there is one.
        streams: A dataset may be named when one of these decides which of its rows exist.
    """

    name: str
    summary: str
    dataset: str | None = None
    metric_type: str = ""
    streams: tuple[Stream, ...] = ()

    @property
    def module(self) -> str:
        return self.name.removeprefix("get_")

    @property
    def members(self) -> list[Dataset]:
        return [dataset for dataset in DATASETS.values() if dataset.driving in self.streams]


_FUNCTIONS: Final = (
    _Function("get_ohlcv", "Fetch candlesticks: open, high, low, close and volume.", dataset="ohlcv"),
    _Function(
        "get_vwap",
        "Fetch volume-weighted average prices; the frame holds the plain average as well.",
        dataset="vtwap",
    ),
    _Function(
        "get_twap", "Fetch average trade prices; the frame holds the volume-weighted average as well.", dataset="vtwap"
    ),
    _Function(
        "get_metrics",
        "Fetch any dataset, also one that only the server knows.",
        metric_type="Metric | str",
        streams=tuple(Stream),
    ),
    _Function(
        MetricGroup.TRADE.sdk_function,
        "Fetch a dataset made from trades.",
        metric_type="TradeMetric",
        streams=MetricGroup.TRADE.streams,
    ),
    _Function(
        MetricGroup.L1.sdk_function,
        "Fetch a dataset made from best quotes.",
        metric_type="L1Metric",
        streams=MetricGroup.L1.streams,
    ),
    _Function(
        MetricGroup.L2.sdk_function,
        "Fetch a dataset made from order book snapshots.",
        metric_type="L2Metric",
        streams=MetricGroup.L2.streams,
    ),
    _Function(
        MetricGroup.DERIVATIVE.sdk_function,
        "Fetch a dataset made from mark prices, funding rates or open interest.",
        metric_type="DerivativeMetric",
        streams=MetricGroup.DERIVATIVE.streams,
    ),
)

_BEFORE: Final = (
    ("interval", "Interval | str"),
    ("exchange", "Exchange | str | Sequence[Exchange | str]"),
    ("symbol", "str | Sequence[str]"),
    ("start_date", "Day"),
    ("end_date", "Day"),
)
_OPTIONAL: Final = ("base_url: str | None = None", "show_progress: bool = True", "max_concurrent: int = 10")
_OURS: Final = (
    "columns: Sequence[str] | None = None",
    'shape: Shape = "long"',
    'fill: Fill = "none"',
    "cache: bool | str | PathLike[str] | None = None",
)
_LIBRARIES: Final = (('Literal["polars"] = "polars"', "pl.DataFrame"), ('Literal["pandas"]', "pd.DataFrame"))

_KEY_WORDS: Final = "api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True."
_PARAMETER_WORDS: Final = (
    'timestamp: Clock: "exchange" for the venue\'s event time, "true" for the arrival time at the capture host.',
    'interval: Bar length, "1s" to "1d". Those below a minute need the Prime plan and timestamp="true".',
    'exchange: Venue, for example "binance-futures", or several.',
    'symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT", or several.',
    "start_date: First day, in UTC: a date, a datetime (an aware one is converted to UTC) or an ISO 8601 string.",
    "end_date: Last day, included.",
    "base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.",
    "show_progress: Draw a progress bar.",
    "max_concurrent: Downloads at the same time, 1 to 100.",
    'output: Library of the returned frame, "polars" or "pandas".',
    "preview: Ask for the free sample.",
    (
        'on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise" '
        '(IncompleteDataError, before any download) or "ignore".'
    ),
    (
        "columns: Names of the columns to fetch beside the time; by default all. Only their bytes are transferred, where "
        "the server allows it. `flow.volume` is that of one dataset."
    ),
    (
        'shape: How several series become one frame: "long", below each other with the columns `exchange` and `symbol` '
        'for what was given as a list, or "wide", beside each other with names like `close|perpetual-BTC-USDT:USDT`.'
    ),
    (
        'fill: Rows of intervals without data: "none", "null" (every interval of the range has a row) or "forward" (in '
        "those rows, prices and other states of the last event hold for 24 hours; sums, counts and changes are null)."
    ),
    (
        "cache: Folder in which files are kept once they were fetched; by default APERIODIC_CACHE_DIR, else the user's "
        "cache folder. False: none."
    ),
)
_ROW_WORDS: Final = (
    f"A frame with one row per interval in which something happened: `{TIME_COLUMN}` (start of the interval, "
    "timezone-naive UTC, ascending, unique)"
)
_RAISES: Final = (
    (
        "InvalidInputError: A value is missing or not valid; no data was asked for. For a name that this version does "
        "not know, the server's catalog decides."
    ),
    "APIError: The server answered with an error.",
    "DownloadError: A file could not be fetched, or is not what the server said it was.",
    'IncompleteDataError: Data is missing and on_incomplete is "raise".',
    "AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.",
)


def modules() -> dict[str, str]:
    """Return the text of every module that is written, by its path below the folder of the client."""
    texts = {f"functions/{function.module}.py": _module(function) for function in _FUNCTIONS}
    return {**texts, "functions/__init__.py": _package(), "known.py": _known()}


def write() -> None:
    """Write them."""
    for name, text in modules().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")


def _package() -> str:
    names = sorted(name for function in _FUNCTIONS for name in (function.name, f"{function.name}_async"))
    imports = [
        f"from aperiodic.client.functions.{function.module} import {function.name}, {function.name}_async"
        for function in sorted(_FUNCTIONS, key=lambda function: function.module)
    ]
    listed = "\n".join(f'    "{name}",' for name in names)
    return (
        f'"""The SDK\'s functions for bars. {_ORIGIN}"""\n\n' + "\n".join(imports) + f"\n\n__all__ = [\n{listed}\n]\n"
    )


def _known() -> str:
    literals = (
        ("Exchange", list(Exchange), "Venue."),
        ("Interval", list(Interval), 'Bar length. Those below a minute need the Prime plan and `timestamp="true"`.'),
        (
            "TimestampType",
            list(Clock),
            "Clock: the venue's event time, or the arrival time at the capture host.",
        ),
        ("TradeMetric", _ids(MetricGroup.TRADE), "Datasets with a row for every interval that holds a trade."),
        ("L1Metric", _ids(MetricGroup.L1), "Datasets with a row for every interval that holds a quote of both sides."),
        ("L2Metric", _ids(MetricGroup.L2), "Datasets with a row for every interval that holds an order book snapshot."),
        (
            "DerivativeMetric",
            _ids(MetricGroup.DERIVATIVE),
            "Datasets with a row for every interval that holds a mark price, a funding rate or an open interest.",
        ),
        ("RawDataset", list(Stream), "Kinds of ticks."),
    )
    names = sorted([*(name for name, _, _ in literals), "Metric"])
    listed = "\n".join(f'    "{name}",' for name in names)
    parts = [
        f'"""The names that this version knows, as types. {_ORIGIN}"""',
        "from __future__ import annotations",
        "from typing import Literal",
        f"__all__ = [\n{listed}\n]",
        *(_literal(name, values, words) for name, values, words in literals),
        'Metric = TradeMetric | L1Metric | L2Metric | DerivativeMetric\n"""All datasets."""',
    ]
    return "\n\n".join(parts) + "\n"


def _ids(group: MetricGroup) -> list[str]:
    return [dataset.id for dataset in DATASETS.values() if dataset.group is group]


def _literal(name: str, values: Sequence[str], words: str) -> str:
    texts = [f'"{value}"' for value in values]
    line = f"{name} = Literal[{', '.join(texts)}]"
    if len(line) > _WIDTH:
        inside = ", ".join(texts)
        rows = [inside] if len(inside) <= _WIDTH - 4 else [f"{text}," for text in texts]
        line = "\n".join([f"{name} = Literal[", *(f"    {row}" for row in rows), "]"])
    return f'{line}\n"""{words}"""'


def _module(function: _Function) -> str:
    types = sorted({"Exchange", "Interval", "TimestampType", *function.metric_type.split(" | ")} - {"", "str"})
    head = f'''\
"""`{function.name}` and its async twin. {_ORIGIN}"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from aperiodic.client.bars_request import BarsRequest
from aperiodic.client.cache import Cache
from aperiodic.client.fetch import fetch_once
from aperiodic.client.request import REQUIRED
from aperiodic.client.sync import run_blocking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed
    import polars as pl

    from aperiodic.client.known import {", ".join(types)}
    from aperiodic.client.types import Day, Fill, OnIncomplete, OutputFormat, Shape

__all__ = ["{function.name}", "{function.name}_async"]
'''
    return (
        head
        + "\n\n"
        + "\n\n".join([*_definitions(function, asynchronous=False), *_definitions(function, asynchronous=True)])
    )


def _definitions(function: _Function, *, asynchronous: bool) -> Iterator[str]:
    define = f"async def {function.name}_async" if asynchronous else f"def {function.name}"
    for parameters in _forms(function):
        for output, frame in _LIBRARIES:
            yield f"@overload\n{_signature(define, [*parameters, *_keywords(output)], frame)}: ...\n"
    asked = [] if function.dataset else [("metric", _metric_type(function))]
    optional = ["api_key: str | None = None", *(f"{name}: {kind} = REQUIRED" for name, kind in asked)]
    optional += ['timestamp: TimestampType = "exchange"', *(f"{name}: {kind} = REQUIRED" for name, kind in _BEFORE)]
    optional += [*_OPTIONAL, "*", *_keywords('OutputFormat = "polars"')]
    doc = textwrap.indent(_docstring(function, asynchronous=asynchronous), "    ")
    yield f"{_signature(define, optional, 'pl.DataFrame | pd.DataFrame')}:\n{doc}\n{_body(function, asynchronous=asynchronous)}"


def _forms(function: _Function) -> Iterator[list[str]]:
    """Yield the ways to pass the required parameters, of which `*` begins those that go by name only."""
    required = [f"{name}: {kind}" for name, kind in _BEFORE]
    metric = [] if function.dataset else [f"metric: {_metric_type(function)}"]
    clock = 'timestamp: TimestampType = "exchange"'
    yield [
        "api_key: str | None = None",
        *(["*", *metric] if metric else []),
        clock,
        *([] if metric else ["*"]),
        *required,
        *_OPTIONAL,
    ]
    if metric:
        yield ["api_key: str | None", *metric, clock, "*", *required, *_OPTIONAL]
    yield ["api_key: str | None", *metric, "timestamp: TimestampType", *required, *_OPTIONAL]


def _metric_type(function: _Function) -> str:
    return f"{function.metric_type} | Sequence[{function.metric_type}]"


def _keywords(output: str) -> list[str]:
    return [f"output: {output}", "preview: bool = False", 'on_incomplete: OnIncomplete = "warn"', *_OURS]


def _signature(define: str, parameters: Sequence[str], returns: str) -> str:
    # Of several marks only the first one separates.
    rows = [item for place, item in enumerate(parameters) if item != "*" or "*" not in parameters[:place]]
    if "*" not in rows:
        rows.insert(next(place for place, item in enumerate(rows) if item.startswith("output")), "*")
    listed = "\n".join(f"    {row}," for row in rows)
    return f"{define}(\n{listed}\n) -> {returns}"


def _body(function: _Function, *, asynchronous: bool) -> str:
    names = ["api_key", "timestamp", *(name for name, _ in _BEFORE), "base_url", "show_progress", "max_concurrent"]
    names += ["output", "preview", "on_incomplete"]
    if function.dataset:
        first = [f'"{function.dataset}",']
    elif set(function.streams) == set(Stream):
        first = ["metric,"]
    else:
        first = ["metric,", f"family={_literal_tuple(function.streams)},"]
    names += [item.partition(":")[0] for item in _OURS if not item.startswith("cache")]
    arguments = textwrap.indent("\n".join([*first, *(f"{name}={name}," for name in names)]), " " * 8)
    lines = [f"request = BarsRequest.parse(\n{arguments}\n    )"]
    work = "fetch_once(request, Cache.parse(cache))"
    if asynchronous:
        lines += [f"delivery = await {work}", "return delivery.hand_over(stacklevel=2)"]
    else:
        lines += [f"return run_blocking({work}).hand_over(stacklevel=2)"]
    return "\n".join(f"    {line}" for line in lines) + "\n"


def _literal_tuple(values: Iterable[str]) -> str:
    texts = [f'"{value}"' for value in values]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _docstring(function: _Function, *, asynchronous: bool) -> str:
    summary = function.summary
    twin = "`await` it; it returns what" if asynchronous else ""
    words = [f'"""{summary}']
    if asynchronous:
        words += ["", f"{twin} `{function.name}` returns, whose documentation names the columns."]
    words += ["", "Args:", *_items([_KEY_WORDS])]
    if not function.dataset:
        words += [
            *_items(
                [
                    "metric: One of",
                ]
                if not asynchronous
                else [f"metric: {_one_of(function)}"]
            )
        ]
        if not asynchronous:
            for dataset in function.members:
                words += _wrapped(f"{dataset.id}: {dataset.description}", 8, 12)
                words += _wrapped(f"Columns: {', '.join(map(_column, dataset.fields))}.", 12, 12)
            if "str" in function.metric_type:
                words += _wrapped("or any other that the server's catalog declares.", 8, 8)
    words += _items(_PARAMETER_WORDS)
    words += ["", "Returns:"]
    if function.dataset and not asynchronous:
        words += _wrapped(f"{_ROW_WORDS} and the columns", 4, 4)
        words += [""]
        for field in DATASETS[function.dataset].fields:
            words += _wrapped(f"{field.name}: {field.description} Unit: {field.unit}. Null: {field.null}.", 4, 8)
        words += ["", *_wrapped("Columns that only the server knows come after these.", 4, 4)]
    else:
        words += _wrapped(f"{_ROW_WORDS} and the dataset's columns, then those that only the server knows.", 4, 4)
    words += ["", "Raises:", *_items(_RAISES), '"""']
    return "\n".join(words)


def _one_of(function: _Function) -> str:
    names = ", ".join(dataset.id for dataset in function.members)
    return names + (", or any other that the server's catalog declares." if "str" in function.metric_type else ".")


def _column(field: Field) -> str:
    null = "" if field.null == "never" else f"; null: {field.null}"
    return f"{field.name} ({field.unit}{null})"


def _items(items: Iterable[str]) -> list[str]:
    return [line for item in items for line in _wrapped(item, 4, 8)]


def _wrapped(text: str, first: int, rest: int) -> list[str]:
    # Four columns less: the docstring is indented when it is complete.
    return textwrap.wrap(
        text,
        _WIDTH - 4,
        initial_indent=" " * first,
        subsequent_indent=" " * rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    write()
