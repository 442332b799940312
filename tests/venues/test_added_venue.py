"""A venue that is added as CONTRIBUTING says, from outside the package: everything follows from it."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
import pytest
from tests.server.in_process import application

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings, import_tardis
from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol
from aperiodic.server.openapi.llms import llms_text
from aperiodic.simulate import MarketSpec, simulate_day, streams_of
from aperiodic.venues import Habits, Instruments, RejectedFrameError, Venue, register, unregister

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aperiodic.venues import Row, Sink
    from aperiodic.venues.book import Book

TOY: Final = Exchange("toy-market")
NOON_US: Final = 1_746_100_800_000_000
"""2025-05-01 12:00 UTC."""


class Fill(msgspec.Struct):
    pair: str
    number: int
    side: str
    price: float
    amount: float
    time: int


class ToyMapper:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._read = msgspec.json.Decoder(Fill)

    def read(self, local: int, frame: bytes) -> None:
        try:
            fill = self._read.decode(frame)
        except msgspec.DecodeError as error:
            raise RejectedFrameError("malformed", str(error)) from None
        symbol = ToyVenue().symbol(fill.pair)
        append: Callable[[Row], None] = self._sink.rows(Stream.TRADES, symbol)
        self._sink.spans(Stream.TRADES, symbol)(fill.number - 1, fill.number, fill.time, "not_recorded")
        append((fill.time, local, str(fill.number), fill.side, fill.price, fill.amount, fill.number))

    def books(self) -> tuple[()]:
        return ()


class ToyVenue(Venue):
    exchange = TOY
    label = "Toy market"
    streams = (Stream.TRADES,)
    numbered = frozenset({Stream.TRADES})
    tardis = "toy"
    habits = Habits(median_delay_us=1_000.0)

    def symbol(self, native: str) -> Symbol:
        base, _, quote = native.partition("/")
        return Symbol.parse(f"spot-{base}-{quote}")

    def native(self, symbol: Symbol) -> str:
        return f"{symbol.base}/{symbol.quote}"

    def mapper(
        self,
        sink: Sink,
        instruments: Instruments,
        *,
        recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> ToyMapper:
        del instruments, recorded_before, on_book
        return ToyMapper(sink)


@pytest.fixture(autouse=True)
def _toy() -> Iterator[None]:
    register(ToyVenue())
    yield
    unregister(TOY)


def frame(number: int) -> str:
    at = NOON_US + number * 1_000_000
    fill = {"pair": "BTC/EUR", "number": number, "side": "buy", "price": 100 + number, "amount": 1, "time": at}
    return f"{at + 500} {msgspec.json.encode(fill).decode()}\n"


def test_its_recordings_are_imported_built_and_served(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_text("".join(frame(number) for number in (1, 2, 4)))
    with application(tmp_path / "home") as app:
        (report,) = import_recordings(app.lake, Exchange.parse("toy-market"), [path])
        assert [(gap.after_sequence, gap.before_sequence) for gap in report.gaps] == [(2, 3)]
        build(app.lake, workers=1)
        asked = {
            "timestamp": "exchange",
            "interval": "1h",
            "exchange": "toy-market",
            "symbol": "spot-BTC-EUR",
            "start_date": "2025-05-01",
            "end_date": "2025-05-01",
        }
        headers = app.headers("prime")
        answer = app.client.get("/api/v1/data/ohlcv", params=asked, headers=headers)
        (file,) = answer.json()["files"]
        assert not file["complete"]
        bars = pl.read_parquet(io.BytesIO(app.client.get(file["url"]).content))
        assert bars.select("open", "high", "low", "close", "volume").rows() == [(101.0, 104.0, 101.0, 104.0, 3.0)]
        symbols = app.client.get("/api/v1/metadata/symbols", params={"exchange": "toy-market"}, headers=headers)
        assert symbols.json()["symbols"] == ["spot-BTC-EUR"]
        near = app.client.get("/api/v1/data/ohlcv", params=asked | {"exchange": "toy-marke"}, headers=headers)
        assert "'toy-market'" in near.json()["hint"]


def test_tardis_files_of_it_are_imported(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    columns = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    path.write_text(f"{columns}\ntoy,BTC/EUR,{NOON_US},{NOON_US + 5},7,buy,100,1\n")
    with application(tmp_path / "home") as app:
        (report,) = import_tardis(app.lake, [path])
        assert (report.exchange, report.ticks) == (TOY, {"trades": 1})


def test_it_is_simulated_with_its_habits() -> None:
    spec = MarketSpec(TOY, Symbol.parse("spot-BTC-EUR"), seed=1, trades_per_day=10)
    assert streams_of(TOY) == (Stream.TRADES,)
    assert simulate_day(spec, date(2025, 5, 1), [Stream.TRADES])[Stream.TRADES]["sequence"].null_count() == 0


def test_it_is_listed_where_venues_are() -> None:
    assert "`toy-market` (Toy market)" in llms_text("http://localhost:8000")
    assert Exchange.parse("toy-market") in list(Exchange)


def test_a_name_is_taken_once_and_free_again_afterwards() -> None:
    with pytest.raises(ValueError, match="already"):
        register(ToyVenue())
    unregister(TOY)
    with pytest.raises(InvalidInputError, match="Unknown exchange"):
        Exchange.parse("toy-market")
    register(ToyVenue())
