"""What is refused before anything is sent, and what is sent."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.mock_api import API_KEY, json_reply

import aperiodic
from aperiodic.client.request import Account

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.mock_api import FakeApi

    from aperiodic.client.types import Day


@pytest.mark.parametrize(
    ("change", "code", "hint"),
    [
        ({"interval": "1 h"}, "unknown_interval", r"Did you mean .*'1h'"),
        ({"exchange": "Binance"}, "unknown_exchange", r"Did you mean .*'binance'"),
        ({"exchange": "../raw"}, "unknown_exchange", None),
        ({"timestamp": "tru"}, "unknown_timestamp", r"Did you mean .*'true'"),
        ({"symbol": "BTCUSDT"}, "bad_symbol", "perpetual-BTC-USDT:USDT"),
        ({"output": "panda"}, "unknown_output", r"Did you mean 'pandas'\?"),
        ({"on_incomplete": "rais"}, "unknown_on_incomplete", r"Did you mean 'raise'\?"),
        ({"interval": None}, "missing_interval", "interval"),
        ({"interval": 5}, "bad_interval", None),
        ({"start_date": "2025-02-01"}, "inverted_range", "Swap"),
        ({"start_date": "01.02.2025"}, "bad_start_date", "2025-05-01"),
        ({"end_date": 20250131}, "bad_end_date", "2025-05-01"),
        ({"end_date": datetime.max.replace(tzinfo=timezone(-timedelta(hours=5)))}, "bad_end_date", "2025-05-01"),
        ({"max_concurrent": 0}, "bad_max_concurrent", "1 to 100"),
        ({"base_url": "ftp://example.org"}, "bad_base_url", "https://aperiodic.io/api/v1"),
        ({"base_url": "example.org/api"}, "bad_base_url", "https://aperiodic.io/api/v1"),
        ({"api_key": None}, "missing_api_key", "preview=True"),
        ({"api_key": ""}, "missing_api_key", "preview=True"),
        ({"api_key": "key\r\nX-Other: 1"}, "bad_api_key", None),
    ],
)
def test_bad_input_is_refused_before_any_request(
    fake: FakeApi, change: dict[str, Any], code: str, hint: str | None
) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(**change))
    assert caught.value.code == code
    assert hint is None or re.search(hint, caught.value.hint or "")
    assert isinstance(caught.value, ValueError)
    assert fake.api.asked == []


@pytest.mark.parametrize("name", ["interval", "exchange", "symbol", "start_date", "end_date"])
def test_what_is_left_out_is_named(fake: FakeApi, name: str) -> None:
    arguments = fake.request()
    del arguments[name]
    with pytest.raises(aperiodic.InvalidInputError, match=f"{name} was not given") as caught:
        aperiodic.get_ohlcv(**arguments)
    assert caught.value.code == f"missing_{name}"


@pytest.mark.parametrize("function", [aperiodic.get_metrics, aperiodic.get_trade_metrics])
def test_a_metric_that_is_left_out_or_of_another_family_is_named(
    fake: FakeApi, function: Callable[..., object]
) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        function(**fake.request())
    assert caught.value.code == "missing_metric"
    with pytest.raises(
        aperiodic.InvalidInputError, match="Valid values: l1_price, l1_imbalance, l1_liquidity"
    ) as caught:
        aperiodic.get_l1_metrics(metric="flow", **fake.request())  # type: ignore[arg-type]
    assert caught.value.code == "unknown_metric"
    assert fake.api.asked == []


def test_a_key_is_never_shown() -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        Account.parse("secret key", None)
    assert "secret" not in str(caught.value)
    assert API_KEY not in repr(Account.parse(API_KEY, None))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2025, 1, 2), date(2025, 1, 3)),
        ("2025-01-02", "2025-01-03"),
        (datetime(2025, 1, 2, 23, 59), datetime(2025, 1, 3)),  # noqa: DTZ001 (naive means UTC)
        (datetime(2025, 1, 2, tzinfo=UTC), "2025-01-03T12:00:00Z"),
        ("2025-01-01T23:00:00-02:00", datetime(2025, 1, 4, 1, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_the_request_says_what_was_asked(fake: FakeApi, start: Day, end: Day) -> None:
    fake.publish("2025-01", metric="flow")
    aperiodic.get_metrics(metric="flow", **fake.request(start_date=start, end_date=end))
    (asked,) = fake.api.asked
    assert asked.path == "/api/v1/data/flow"
    assert asked.query == {
        "timestamp": "exchange",
        "interval": "1h",
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "start_date": "2025-01-02",
        "end_date": "2025-01-03",
    }
    assert asked.headers["x-api-key"] == API_KEY
    assert asked.headers["user-agent"] == f"aperiodic/{aperiodic.__version__}"


def test_everything_may_be_given_by_position(fake: FakeApi) -> None:
    fake.publish("2025-01", metric="vtwap")
    days = ("2025-01-01", "2025-01-31")
    bar = False
    named = aperiodic.get_trade_metrics(
        API_KEY, "vtwap", "true", "1h", "binance", "spot-BTC-USDT", *days, fake.base_url, bar, 3
    )
    fixed = aperiodic.get_vwap(API_KEY, "true", "1h", "binance", "spot-BTC-USDT", *days, fake.base_url, bar, 3)
    assert named.equals(fixed)
    assert fake.api.asked[0].query["timestamp"] == "true"
    assert fake.api.asked[0].query["symbol"] == "spot-BTC-USDT"


def test_vwap_and_twap_are_one_dataset(fake: FakeApi) -> None:
    fake.publish("2025-01", metric="vtwap")
    assert aperiodic.get_vwap(**fake.request()).columns == ["time", "vwap", "twap"]
    assert aperiodic.get_twap(**fake.request()).columns == ["time", "vwap", "twap"]


def test_key_and_address_come_from_the_environment_at_the_time_of_the_call(
    fake: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.publish("2025-01")
    monkeypatch.setenv("APERIODIC_API_KEY", "from-environment")
    monkeypatch.setenv("APERIODIC_API_URL", fake.base_url + "/")
    aperiodic.get_ohlcv(**fake.request(api_key=None, base_url=None))
    assert fake.api.asked[0].path == "/api/v1/data/ohlcv"
    assert fake.api.asked[0].headers["x-api-key"] == "from-environment"


def test_preview_needs_no_key_and_has_its_own_endpoint(fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_API_KEY", "from-environment")
    fake.api.on("/api/v1/data/preview/ohlcv", json_reply({"files": [], "missing": []}))
    aperiodic.get_ohlcv(**fake.request(api_key=None, preview=True))
    assert fake.api.asked[0].headers["x-api-key"] == "DEMO-KEY"


def test_the_default_address_is_the_hosted_service() -> None:
    assert Account.parse(API_KEY, None).base_url == "https://aperiodic.io/api/v1"


def test_symbols(fake: FakeApi) -> None:
    fake.api.on("/api/v1/metadata/symbols", json_reply({"symbols": ["spot-BTC-USDT"], "exchange": "binance"}))
    assert aperiodic.get_symbols(API_KEY, "binance", fake.base_url) == ["spot-BTC-USDT"]
    assert fake.api.asked[0].query == {"exchange": "binance"}
    assert fake.api.asked[0].headers["x-api-key"] == API_KEY
    with pytest.raises(aperiodic.InvalidInputError, match=r"Did you mean .*'binance'"):
        aperiodic.get_symbols(API_KEY, "Binance", fake.base_url)
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_symbols(API_KEY)  # type: ignore[call-overload]
    assert caught.value.code == "missing_exchange"


async def test_symbols_async(fake: FakeApi) -> None:
    fake.api.on("/api/v1/metadata/symbols", json_reply({"symbols": []}), json_reply({"symbols": [1]}))
    assert await aperiodic.get_symbols_async(API_KEY, "binance", fake.base_url) == []
    with pytest.raises(aperiodic.APIError, match="lists no symbols"):
        await aperiodic.get_symbols_async(API_KEY, "binance", fake.base_url)
