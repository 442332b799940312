"""The published surface: names, parameters and types."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any, get_args

import pytest

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.client import types
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
KEYWORD_ONLY = [("output", "polars"), ("preview", False), ("on_incomplete", "warn")]
SERIES = [("api_key", None), *SHARED]
METRIC = [("api_key", None), ("metric", "<required>"), *SHARED]


def test_the_package_exports_exactly_these_names() -> None:
    assert sorted(aperiodic.__all__) == [
        "APIError",
        "AperiodicDataError",
        "DownloadError",
        "Exchange",
        "IncompleteDataError",
        "IncompleteDataWarning",
        "Interval",
        "InvalidInputError",
        "OnIncomplete",
        "OutputFormat",
        "TimestampType",
        "TradeMetric",
        "__version__",
        "get_metrics",
        "get_metrics_async",
        "get_ohlcv",
        "get_ohlcv_async",
        "get_symbols",
        "get_symbols_async",
        "get_trade_metrics",
        "get_trade_metrics_async",
        "get_twap",
        "get_twap_async",
        "get_vwap",
        "get_vwap_async",
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
    for metric in DATASETS:
        assert f"{metric}: {DATASETS[metric].description}" in (inspect.getdoc(aperiodic.get_trade_metrics) or "")


def test_literal_types_repeat_what_the_code_accepts() -> None:
    assert set(get_args(types.Exchange)) == set(Exchange)
    assert get_args(types.Interval) == tuple(Interval)
    assert set(get_args(types.TimestampType)) == set(Clock)
    assert set(get_args(types.TradeMetric)) == {
        dataset.id for dataset in DATASETS.values() if dataset.driving is Stream.TRADES
    }


def test_importing_the_package_leaves_heavy_modules_out() -> None:
    code = "import aperiodic, sys; print([m for m in ('httpx', 'tqdm', 'pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "error",
    [
        aperiodic.APIError(403, "Not in the plan.", ["a"], "interval_not_in_plan", "Upgrade.", "r1"),
        aperiodic.DownloadError(2025, 5, None, OSError("broken"), 503),
    ],
)
def test_errors_survive_the_way_out_of_a_worker_process(error: aperiodic.AperiodicDataError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (made here)
    assert str(copy) == str(error)
    assert copy.code == error.code
    assert copy.hint == error.hint
    assert copy.status_code == error.status_code  # type: ignore[attr-defined]  # both kinds have it
