"""Recorded market data against what the exchange itself says of it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from aperiodic.completeness.gaps import read_gaps
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.importing.files import SourceFile
from aperiodic.engine.importing.recordings import read_recording
from aperiodic.engine.importing.refusals import Refusals
from aperiodic.engine.importing.report import commit
from aperiodic.engine.importing.responses import read_responses
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange, Stream
from aperiodic.venues.binance import BINANCE_FUTURES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aperiodic.market import Symbol
    from aperiodic.venues.book import Book

SET_A = ("binance-usdm/ws_raw/btcusdt_20230404.dat.gz", "binance-usdm/ws_raw/btcusdt_20230405.dat.gz")
SET_B = ("binance-usdm/ws_raw/btcusdt_20240808.gz",)
SET_C = tuple(f"binance-usdm/ws_raw_cryptofeed/BINANCE_FUTURES.{part}" for part in ("ws.1.0", "http.0.0", "0"))
SET_B_SPOT = ("binance-spot/ws_raw/btcusdt_20240808.gz", "binance-spot/ws_raw/btcusdt_20240809.gz")

Quote = tuple[float | None, ...]


@pytest.mark.parametrize(
    ("exchange", "names", "equal", "events"),
    [
        (Exchange.BINANCE_FUTURES, SET_A, 16_110, 16_110),
        (Exchange.BINANCE_FUTURES, SET_B, 6_547, 6_547),
        (Exchange.BINANCE, SET_B_SPOT, 6_491, 6_493),
    ],
    ids=["set A", "set B", "set B spot"],
)
def test_the_rebuilt_book_agrees_with_the_exchanges_own_best_quote(
    lake: Lake, real_data: Path, exchange: Exchange, names: tuple[str, ...], equal: int, events: int
) -> None:
    tops: list[tuple[int, Quote]] = []

    def on_book(_symbol: Symbol, number: int, book: Book) -> None:
        tops.append((number, book.top))

    quotes: list[tuple[int, Quote]] = []
    for name in names:
        found = read_recording(lake, exchange, SourceFile.look_at(real_data / name), on_book=on_book)
        for (stream, _), frame in found.frames.items():
            if stream is Stream.QUOTES:
                columns = ("sequence", "bid_price", "bid_amount", "ask_price", "ask_amount")
                quotes += [(number, tuple(values)) for number, *values in frame[columns].rows()]
        commit(lake, found)
    quotes.sort()
    numbers = [number for number, _ in quotes]
    agreeing = sum(quotes[bisect_right(numbers, number) - 1][1] == top for number, top in tops)
    assert (agreeing, len(tops)) == (equal, events)
    with lake.engine.connect() as connection:
        assert read_gaps(connection, exchange) == []


def test_rest_answers_beside_a_cryptofeed_dump_seed_its_books(lake: Lake, real_data: Path) -> None:
    files = [SourceFile.look_at(real_data / name) for name in SET_C]
    tops: list[tuple[Symbol, int, Quote]] = []
    found = read_recording(
        lake,
        Exchange.BINANCE_FUTURES,
        files[0],
        responses=read_responses(BINANCE_FUTURES, files, Refusals(None)),
        on_book=lambda symbol, number, book: tops.append((symbol, number, book.top)),
    )
    quotes = {symbol: frame.sort("sequence") for (stream, symbol), frame in found.frames.items() if stream == "quotes"}
    agreeing: Counter[str] = Counter()
    for symbol, number, top in tops:
        before = quotes[symbol].filter(pl.col("sequence") <= number)
        if before.height:
            assert before.row(-1)[2:6] == top
            agreeing[symbol.base] += 1
    assert agreeing == {
        "SUSHI": 252,
        "AKRO": 182,
        "KEEP": 130,
        "CTK": 179,
    }  # CTK: one more update ends with the answer itself


@pytest.fixture(scope="module")
def set_a(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=tmp_path_factory.mktemp("set_a")))) as lake:
        import_recordings(lake, Exchange.BINANCE_FUTURES, [real_data / name for name in reversed(SET_A)])
        yield lake


def ticks(lake: Lake, stream: Stream) -> pl.DataFrame:
    return pl.concat([lake.store.read_parquet(held.path) for held in lake.current(ObjectKind.TICKS, dataset=stream)])


def test_every_line_of_set_a_is_accounted_for(set_a: Lake) -> None:
    counts = {stream: ticks(set_a, stream).height for stream in Stream if stream is not Stream.OPEN_INTEREST}
    assert counts.pop(Stream.BOOK) == 12_738
    assert counts == {
        Stream.TRADES: 12_934,
        Stream.QUOTES: 44_205,
        Stream.MARK_PRICE: 514,
        Stream.INDEX_PRICE: 514,
        Stream.FUNDING_RATE: 514,
    }


def test_the_insurance_funds_trade_is_kept_aside(set_a: Lake) -> None:
    (record,) = set_a.current(ObjectKind.QUARANTINE)
    kept = set_a.store.read_parquet(record.path)
    assert kept["code"].to_list() == ["off_book_trade"]
    assert b'"p":"28722.50"' in kept["frame"].item()
    trades = ticks(set_a, Stream.TRADES)
    midnight = datetime(2023, 4, 5, tzinfo=UTC)
    assert trades.filter(pl.col("exchange_timestamp") >= midnight)["price"].max() == 28_159.2
    assert trades.filter(pl.col("exchange_timestamp") >= midnight)["price"][0] == 28_155.1
    assert trades.filter(pl.col("exchange_timestamp") < midnight)["price"][-1] == 28_155.2


def test_funding_and_mark_price_at_the_funding_time(set_a: Lake) -> None:
    at = pl.col("exchange_timestamp") == datetime(2023, 4, 5, 0, 0, 0, 10_000, tzinfo=UTC)
    funding = ticks(set_a, Stream.FUNDING_RATE)
    assert funding.filter(at)["funding_rate"].item() == 0.0000276
    assert ticks(set_a, Stream.MARK_PRICE).filter(at)["mark_price"].item() == pytest.approx(28_155.1, abs=0.05)
    after = funding.filter(pl.col("exchange_timestamp") > datetime(2023, 4, 5, 0, 0, 1, tzinfo=UTC))
    assert after["next_funding_time"].unique().to_list() == [datetime(2023, 4, 5, 8, tzinfo=UTC)]


def test_ticks_are_in_the_venues_order_with_the_matching_engines_time(set_a: Lake) -> None:
    for stream in (Stream.TRADES, Stream.QUOTES, Stream.BOOK):
        assert (ticks(set_a, stream)["sequence"].diff().drop_nulls() >= 1).all()
    trades = ticks(set_a, Stream.TRADES)
    latency = (trades["local_timestamp"] - trades["exchange_timestamp"]).dt.total_microseconds()
    # Taken from the raw lines, receive time less T; less the event time E it would be -30,508 to 659,426.
    assert (latency.min(), latency.max()) == (-26_932, 2_384_043)


def test_spot_recordings_of_2023_hold_trades_and_quotes_but_no_book(lake: Lake, real_data: Path) -> None:
    (report,) = import_recordings(lake, Exchange.BINANCE, [real_data / "binance-spot/ws_raw/btcusdt_20230405.dat.gz"])
    assert report.ticks == {"trades": 3_144, "quotes": 8_015}
    assert report.ignored == {"update_of_unknown_book": 3_929}
    days = [record.key.period for record in lake.current(ObjectKind.TICKS, dataset=Stream.TRADES)]
    assert days == ["2023-04-04", "2023-04-05"]
