"""The originally published client listens to `aperiodic up`, which collects from the mock exchange, and is told what is published."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from math import isnan
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from tests.conformance.conftest import ROOT, WITH_RAW
from tests.conformance.test_original_stream import PROGRAM
from tests.crash.live_installation import Mock, installation

from aperiodic.catalog import DATASETS
from aperiodic.engine.build import build
from aperiodic.engine.normalising import Normaliser
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.conformance

SYMBOL: Final = "perpetual-BTC-USDT:USDT"
CHANNELS: Final = [
    f"{dataset}.binance-futures.{interval}{clock}"
    for dataset in DATASETS
    for interval, clock in (("1s", ".true"), ("1m", ".true"), ("1m", ""))
]
LISTENS_S: Final = 150


def test_what_the_original_client_is_told_is_what_is_published(tmp_path: Path) -> None:
    if not (ROOT / f".venv-client-{WITH_RAW[0]}" / ".done").exists():
        pytest.skip(f"client {WITH_RAW[0]} is not installed: run make conformance")
    home = tmp_path / "home"
    home.mkdir()
    exchange = Exchange.BINANCE_FUTURES
    with (
        Mock([(exchange, Symbol.parse(SYMBOL))]) as mock,
        installation(home, mock, [exchange], [SYMBOL], {"APERIODIC_CACHE": "0"}) as at,
    ):
        at.wait_until_served()
        task = {"key": at.key, "url": at.stream_url, "channels": CHANNELS, "close_after": LISTENS_S}
        listened = subprocess.run(
            [ROOT / f".venv-client-{WITH_RAW[0]}" / "bin" / "python", "-I", PROGRAM],
            input=json.dumps(task) + "\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=LISTENS_S + 120,
        )
    told: dict[str, Any] = json.loads(listened.stdout.splitlines()[-1])
    assert (told.get("error"), told["rejected"], told["gaps"], told["warnings"]) == (None, [], 0, [])
    bars = published(home)
    last = {(row["channel"], row["data"]["time"]): row["data"] for row in told["rows"]}
    compared: Counter[str] = Counter()
    for (channel, time), row in last.items():
        bar = bars[channel][time]
        assert {name: row[name] for name in bar} == bar, (channel, time)
        compared[channel] += len(bar)
    sys.stdout.write(
        f"{len(last):,} rows of {len(compared)} channels, {compared.total():,} values are the published ones\n"
    )
    spoken = {channel.partition(".")[0] for channel in compared}
    assert spoken == set(DATASETS), "every dataset is told"


def published(home: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """Return the bars that the build makes of all that was recorded, by channel and time; null for what is not a number."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    with closing(Lake.open(Settings(home=home))) as lake:
        Normaliser(lake).run_once()
        build(lake)
        for record in lake.current(ObjectKind.BARS):
            key = record.key
            clock = "" if key.clock == "exchange" else f".{key.clock}"
            channel = f"{key.dataset}.{key.exchange}.{key.interval}{clock}"
            if channel in CHANNELS:
                rows = lake.store.read_parquet(record.path).with_columns(pl.col("time").to_physical()).to_dicts()
                plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
                found.setdefault(channel, {}).update({row["time"]: row for row in plain})
    return found


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value
