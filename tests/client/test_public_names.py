"""The published surface: names, parameters and types."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.client import function_writer, types
from aperiodic.market import Clock, Exchange, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = [
    ("timestamp", "exchange"),
    ("interval", "<required>"),
    ("exchange", "<required>"),
    ("symbol", "<required>"),
    ("start_date", "<required>"),
    ("end_date", "<required>"),
    ("base_url", None),
    ("show_progress", True),
    ("max_concurrent", 10),
]
KEYWORD_ONLY = [
    ("output", "polars"),
    ("preview", False),
    ("on_incomplete", "warn"),
    ("columns", None),
    ("shape", "long"),
    ("fill", "none"),
    ("cache", None),
]
SERIES = [("api_key", None), *SHARED]
METRIC = [("api_key", None), ("metric", "<required>"), *SHARED]


def test_the_package_exports_exactly_these_names() -> None:
    assert sorted(aperiodic.__all__) == [
        "APIError",
        "AperiodicDataError",
        "AsyncClient",
        "ChannelRejection",
        "Client",
        "DerivativeMetric",
        "Description",
        "DownloadError",
        "Estimate",
        "Exchange",
        "IncompleteDataError",
        "IncompleteDataWarning",
        "Interval",
        "InvalidInputError",
        "L1Metric",
        "L2Metric",
        "Metric",
        "OnIncomplete",
        "OutputFormat",
        "RawDataset",
        "SimulatedDataWarning",
        "Stream",
        "StreamChannel",
        "StreamClosedError",
        "StreamMessage",
        "StreamSubscription",
        "StreamSubscriptionError",
        "StreamWarning",
        "TimestampType",
        "TradeMetric",
        "__version__",
        "align",
        "bars",
        "coverage",
        "coverage_async",
        "describe",
        "describe_async",
        "download_metrics",
        "download_metrics_async",
        "download_raw",
        "download_raw_async",
        "estimate",
        "estimate_async",
        "fill",
        "follow",
        "get_derivative_metrics",
        "get_derivative_metrics_async",
        "get_l1_metrics",
        "get_l1_metrics_async",
        "get_l2_metrics",
        "get_l2_metrics_async",
        "get_metrics",
        "get_metrics_async",
        "get_ohlcv",
        "get_ohlcv_async",
        "get_raw",
        "get_raw_async",
        "get_raw_coverage",
        "get_raw_coverage_async",
        "get_symbols",
        "get_symbols_async",
        "get_trade_metrics",
        "get_trade_metrics_async",
        "get_twap",
        "get_twap_async",
        "get_vwap",
        "get_vwap_async",
        "plot",
        "scan_metrics",
        "search",
        "search_async",
        "stream",
        "symbols",
        "symbols_async",
    ]
    assert all(hasattr(aperiodic, name) for name in aperiodic.__all__)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get_ohlcv", SERIES),
        ("get_vwap", SERIES),
        ("get_twap", SERIES),
        ("get_metrics", METRIC),
        ("get_trade_metrics", METRIC),
        ("get_l1_metrics", METRIC),
        ("get_l2_metrics", METRIC),
        ("get_derivative_metrics", METRIC),
    ],
)
@pytest.mark.parametrize("suffix", ["", "_async"])
def test_parameters_have_the_published_order_and_defaults(
    name: str, suffix: str, expected: list[tuple[str, object]]
) -> None:
    function: Callable[..., Any] = getattr(aperiodic, name + suffix)
    parameters = inspect.signature(function).parameters.values()

    def shown(kind: inspect._ParameterKind) -> list[tuple[str, object]]:
        return [
            (p.name, "<required>" if repr(p.default) == "<required>" else p.default)
            for p in parameters
            if p.kind is kind
        ]

    assert shown(inspect.Parameter.POSITIONAL_OR_KEYWORD) == expected
    assert shown(inspect.Parameter.KEYWORD_ONLY) == KEYWORD_ONLY
    assert inspect.iscoroutinefunction(function) is bool(suffix)
    assert function.__name__ == name + suffix
    assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301 (made one line earlier)


def test_symbols_takes_key_exchange_and_address() -> None:
    assert list(inspect.signature(aperiodic.get_symbols).parameters) == ["api_key", "exchange", "base_url"]
    assert list(inspect.signature(aperiodic.get_symbols_async).parameters) == ["api_key", "exchange", "base_url"]


def test_help_names_every_column_and_every_parameter() -> None:
    text = inspect.getdoc(aperiodic.get_ohlcv) or ""
    for name in [*DATASETS["ohlcv"].schema.names()[1:], *inspect.signature(aperiodic.get_ohlcv).parameters]:
        assert f"    {name}: " in text


@pytest.mark.parametrize(
    ("name", "streams"),
    [
        ("get_metrics", set(Stream)),
        ("get_trade_metrics", {Stream.TRADES}),
        ("get_l1_metrics", {Stream.QUOTES}),
        ("get_l2_metrics", {Stream.BOOK}),
        ("get_derivative_metrics", {Stream.MARK_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST}),
    ],
)
def test_help_names_the_metrics_of_the_family_and_no_other(name: str, streams: set[Stream]) -> None:
    text = " ".join((inspect.getdoc(getattr(aperiodic, name)) or "").split())
    for metric, dataset in DATASETS.items():
        assert (f"{metric}: {dataset.description}" in text) is (dataset.driving in streams)
        columns = (f"{field.name} ({field.unit}" in text for field in dataset.fields)
        assert dataset.driving not in streams or all(columns)


def test_the_written_functions_are_those_that_the_catalog_gives() -> None:
    folder = Path(inspect.getfile(function_writer)).parent
    written = function_writer.modules()
    assert {path for path in written if (folder / path).read_text(encoding="utf-8") != written[path]} == set(), (
        "the client differs from the catalog: run make docs"
    )
    assert {path.name for path in (folder / "functions").glob("*.py")} == {
        path.removeprefix("functions/") for path in written if path.startswith("functions/")
    }


@pytest.mark.parametrize("name", [name for name in aperiodic.__all__ if name.startswith(("get_", "download_"))])
def test_each_function_is_where_its_code_is(name: str) -> None:
    function = getattr(aperiodic, name)
    assert f"def {name}(" in inspect.getsource(function)
    doc = inspect.getdoc(function) or ""
    assert "Returns:" in doc
    assert "Raises:" in doc


def test_literal_types_repeat_what_the_code_accepts() -> None:
    assert set(get_args(types.Exchange)) == set(Exchange)
    assert get_args(types.Interval) == tuple(Interval)
    assert set(get_args(types.TimestampType)) == set(Clock)
    assert set(get_args(types.RawDataset)) == set(Stream)
    assert set(get_args(types.Metric)) == {types.TradeMetric, types.L1Metric, types.L2Metric, types.DerivativeMetric}
    for literal, streams in (
        (types.TradeMetric, {Stream.TRADES}),
        (types.L1Metric, {Stream.QUOTES}),
        (types.L2Metric, {Stream.BOOK}),
        (types.DerivativeMetric, {Stream.MARK_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST}),
    ):
        assert set(get_args(literal)) == {dataset.id for dataset in DATASETS.values() if dataset.driving in streams}


def test_importing_the_package_leaves_heavy_modules_out() -> None:
    heavy = ("httpx", "tqdm", "pandas", "numpy")
    code = f"import aperiodic, sys; print([m for m in ('polars', *{heavy}) if m in sys.modules]); "
    code += f"aperiodic.get_metrics; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


@pytest.mark.parametrize(
    "error",
    [
        aperiodic.APIError(403, "Not in the plan.", ["a"], "interval_not_in_plan", "Upgrade.", "r1"),
        aperiodic.DownloadError(2025, 5, None, OSError("broken"), 503),
        aperiodic.StreamClosedError(4001, "Key changed."),
        aperiodic.StreamSubscriptionError("No.", [aperiodic.ChannelRejection("a.b.1m", "not_live", "Not live.")]),
    ],
)
def test_errors_survive_the_way_out_of_a_worker_process(error: aperiodic.AperiodicDataError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (made here)
    assert str(copy) == str(error)
    assert copy.code == error.code
    assert copy.hint == error.hint
    assert {**vars(copy), "original_error": None} == {**vars(error), "original_error": None}
