from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic.cli.instruments import instruments
from aperiodic.market import AperiodicDataError, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYMBOL = {
    "symbol": "BTCUSDT",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "onboardDate": 1_569_398_400_000,
    "deliveryDate": 4_133_404_800_000,
    "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "LOT_SIZE", "stepSize": "0.001"}],
}


@contextmanager
def exchange(status: int, answer: object) -> Iterator[str]:
    """A host that answers every request alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(tmp_path / "home"))


def refresh(monkeypatch: pytest.MonkeyPatch, status: int, answer: object, **options: Any) -> None:
    with exchange(status, answer) as host:
        monkeypatch.setenv("APERIODIC_REST_BINANCE_FUTURES", host)
        instruments(exchange=Exchange.BINANCE_FUTURES, refresh=True, **options)


def test_what_the_exchange_lists_is_remembered_and_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(monkeypatch, 200, {"symbols": [SYMBOL]}, as_json=True)
    told = capsys.readouterr()
    assert "binance-futures: 1 listed, 1 new" in told.err
    first = json.loads(told.out)
    assert [first[0][name] for name in ("symbol", "native", "status", "tick_size", "lot_size")] == [
        *("perpetual-BTC-USDT:USDT", "BTCUSDT", "trading", "0.1", "0.001"),
    ]
    assert first[0]["listed_from"] == "2019-09-25T08:00:00+00:00"
    assert (first[0]["delisted_at"], first[0]["contract_size"]) == (None, None)

    refresh(monkeypatch, 200, {"symbols": [SYMBOL | {"status": "SETTLING"}]}, as_json=True, history=True)
    history = json.loads(capsys.readouterr().out)
    assert [(row["begins"], row["status"], row["valid_to"] is None) for row in history] == [
        ("first", "trading", False),
        ("changed", "settling", True),
    ]
    instruments()
    assert "settling" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "answer", "code", "words"),
    [
        (451, {}, "venue_unreachable", "HTTP 451"),
        (200, {"code": -1, "msg": "no"}, "unexpected_answer", "it lists none"),
        (200, {"symbols": [{"baseAsset": 3}]}, "unexpected_answer", "no list of instruments"),
    ],
)
def test_an_exchange_that_does_not_answer_is_told_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, status: int, answer: object, code: str, words: str
) -> None:
    refresh(monkeypatch, 200, {"symbols": [SYMBOL]})
    with pytest.raises(AperiodicDataError, match=words) as caught:
        refresh(monkeypatch, status, answer)
    assert caught.value.code == code


def test_without_an_answer_so_far_it_says_how_to_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(monkeypatch, 200, {"symbols": [SYMBOL]})
    capsys.readouterr()
    instruments(exchange=Exchange.OKX_PERPS)
    assert "aperiodic instruments --refresh" in capsys.readouterr().out
