"""A server that is newer than the client: what only its catalog declares can be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import API_KEY, Reply, bars, json_reply, parquet, raw_reply, trades

import aperiodic
from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.client.mock_api import FakeApi

CATALOG = "/api/v1/metadata/catalog"
OHLCV = {name: str(dtype) for name, dtype in DATASETS["ohlcv"].schema.items() if name != "time"}


def declare(fake: FakeApi, *, exchanges: list[str] | None = None, **metrics: Mapping[str, str]) -> None:
    """Let the server declare metrics with these columns, all driven by quotes."""
    entries = [
        {
            "id": metric,
            "driving": "quotes",
            "intervals": ["1h", "2h"],
            "fields": [{"name": name, "type": dtype} for name, dtype in columns.items()],
        }
        for metric, columns in metrics.items()
    ]
    told = {} if exchanges is None else {"exchanges": exchanges}
    fake.api.on(CATALOG, json_reply({"metrics": entries, **told}))


def publish(fake: FakeApi, metric: str, **frames: pl.DataFrame) -> None:
    files = [fake.store_file(period.replace("_", "-").lstrip("m"), parquet(frame)) for period, frame in frames.items()]
    fake.reply(json_reply({"files": files, "missing": []}), metric=metric)


def test_an_added_column_is_kept_and_null_where_a_file_lacks_it(fake: FakeApi) -> None:
    january, february = bars("2025-01"), bars("2025-02").with_columns(trades_per_second=pl.lit(2.5))
    publish(fake, "ohlcv", m2025_01=january, m2025_02=february)
    frame = aperiodic.get_ohlcv(**fake.request(end_date="2025-02-28"))
    assert frame.columns == [*january.columns, "trades_per_second"]
    assert frame["trades_per_second"].null_count() == january.height
    assert frame.tail(february.height).equals(february)
    assert fake.api.count(CATALOG) == 0, "nothing had to be asked"


def test_an_empty_answer_has_an_added_column_too(fake: FakeApi) -> None:
    fake.publish(missing=[])
    declare(fake, ohlcv={**OHLCV, "trades_per_second": "Float64", "odd": "Decimal(38, 9)"})
    frame = aperiodic.get_ohlcv(**fake.request())
    assert frame.schema == {**DATASETS["ohlcv"].schema, "trades_per_second": pl.Float64(), "odd": pl.Null()}


@pytest.mark.parametrize("function", [aperiodic.get_metrics, aperiodic.get_l1_metrics])
def test_an_added_metric_can_be_fetched(fake: FakeApi, function: Callable[..., pl.DataFrame]) -> None:
    declare(fake, sweep={"sweeps": "Int64", "cost": "Float64"})
    frame = bars("2025-01").select("time", sweeps=pl.lit(3, pl.Int64), cost=pl.col("close"), later=pl.lit("x"))
    publish(fake, "sweep", m2025_01=frame)
    for _ in range(2):
        assert function(metric="sweep", **fake.request()).equals(frame)
    assert fake.api.count(CATALOG) == 1, "the answer is kept"
    assert all("x-api-key" not in asked.headers for asked in fake.api.asked if asked.path == CATALOG)
    fake.publish(metric="sweep", missing=[])
    assert function(metric="sweep", **fake.request()).columns == ["time", "sweeps", "cost"]


def test_the_columns_of_an_added_metric_are_checked_against_the_catalog(fake: FakeApi) -> None:
    declare(fake, sweep={"sweeps": "Int64"})
    publish(fake, "sweep", m2025_01=bars("2025-01").select("time", sweeps=pl.col("close")))
    with pytest.raises(aperiodic.DownloadError, match="sweeps is Float64, not Int64") as caught:
        aperiodic.get_metrics(metric="sweep", **fake.request())
    assert caught.value.code == "unexpected_schema"


def test_the_family_of_an_added_metric_is_heeded(fake: FakeApi) -> None:
    declare(fake, sweep={"sweeps": "Int64"})
    with pytest.raises(aperiodic.InvalidInputError, match="Unknown metric 'sweep'"):
        aperiodic.get_l2_metrics(metric="sweep", **fake.request())  # type: ignore[arg-type]


def test_a_column_that_the_server_dropped_or_changed_is_as_it_declares(fake: FakeApi) -> None:
    changed = bars("2025-01").drop("low").with_columns(pl.col("volume").cast(pl.Int64))
    publish(fake, "ohlcv", m2025_01=changed)
    with pytest.raises(aperiodic.DownloadError, match="low is missing"):
        aperiodic.get_ohlcv(**fake.request())
    declared = {name: dtype for name, dtype in OHLCV.items() if name != "low"} | {"volume": "Int64"}
    declare(fake, ohlcv=declared)
    assert aperiodic.get_ohlcv(**fake.request()).equals(changed)


@pytest.mark.parametrize("change", [{"exchange": "kraken-futures"}, {"interval": "2h"}])
def test_an_added_exchange_and_an_added_interval_can_be_asked_for(fake: FakeApi, change: dict[str, Any]) -> None:
    declare(fake, exchanges=["binance", "kraken-futures"], ohlcv=OHLCV)
    fake.publish("2025-01")
    assert aperiodic.get_ohlcv(**fake.request(**change)).height == 31 * 24
    asked = fake.api.asked[-1].query
    assert change.items() <= asked.items()


def test_symbols_of_an_added_exchange(fake: FakeApi) -> None:
    declare(fake, exchanges=["kraken-futures"])
    fake.api.on("/api/v1/metadata/symbols", json_reply({"symbols": ["spot-BTC-USDT"]}))
    assert aperiodic.get_symbols(API_KEY, "kraken-futures", fake.base_url) == ["spot-BTC-USDT"]


def test_an_added_kind_of_ticks_can_be_fetched(fake: FakeApi) -> None:
    ticks = trades("2025-01-01").with_columns(order=pl.lit("market"))
    named = [{"name": name, "type": str(dtype)} for name, dtype in ticks.schema.items()]
    fake.api.on("/api/v1/metadata/raw", json_reply({"datasets": {"liquidations": {"columns": named}}}))
    fake.api.on("/api/v1/data/raw/liquidations", raw_reply([fake.raw_file("2025-01-01", parquet(ticks))]))
    request = fake.raw_request(dataset="liquidations", end_date="2025-01-01")
    assert aperiodic.get_raw(**request).equals(ticks)
    with pytest.raises(aperiodic.InvalidInputError, match="Did you mean 'liquidations'"):
        aperiodic.get_raw(**fake.raw_request(dataset="liquidation"))


@pytest.mark.parametrize(
    ("change", "code", "nearest"),
    [
        ({"metric": "vwtap"}, "unknown_metric", "vtwap"),
        ({"metric": "swep"}, "unknown_metric", "sweep"),
        ({"interval": "2hr"}, "unknown_interval", "2h"),
        ({"exchange": "kraken"}, "unknown_exchange", "kraken-futures"),
    ],
)
def test_a_name_that_neither_side_knows_names_the_nearest(
    fake: FakeApi, change: dict[str, Any], code: str, nearest: str
) -> None:
    declare(fake, exchanges=["kraken-futures"], sweep={"sweeps": "Int64"})
    with pytest.raises(aperiodic.InvalidInputError, match=f"Did you mean '{nearest}'") as caught:
        aperiodic.get_metrics(**fake.request(**{"metric": "flow", **change}))
    assert caught.value.code == code
    assert {asked.path for asked in fake.api.asked} == {CATALOG}


def test_a_name_that_the_server_learned_since_is_asked_for_anew(fake: FakeApi) -> None:
    declare(fake, exchanges=[], ohlcv=OHLCV)
    with pytest.raises(aperiodic.InvalidInputError):
        aperiodic.get_ohlcv(**fake.request(exchange="kraken-futures"))
    declare(fake, exchanges=["kraken-futures"], ohlcv=OHLCV)
    fake.publish("2025-01")
    assert aperiodic.get_ohlcv(**fake.request(exchange="kraken-futures")).height == 31 * 24


@pytest.mark.parametrize("reply", [Reply(404), Reply(drop=True), json_reply({"metrics": 7}), json_reply({})])
def test_without_a_catalog_a_name_is_what_this_version_knows(fake: FakeApi, reply: Reply) -> None:
    fake.api.on(CATALOG, reply)
    with pytest.raises(aperiodic.InvalidInputError, match=r"Unknown interval '1hr'\. Did you mean '1h'") as caught:
        aperiodic.get_ohlcv(**fake.request(interval="1hr"))
    assert caught.value.code == "unknown_interval"
    assert ("could not be asked" in (caught.value.hint or "")) is (reply.body == b"")
