from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic.market import Stream
from aperiodic.venues import Contract, RejectedFrameError
from aperiodic.venues.okx.archives import OKX_ARCHIVES, OkxBookLines, read_size

if TYPE_CHECKING:
    from collections.abc import Callable

TABLES = {table.name: table for table in OKX_ARCHIVES}
NAME = "BTC-USDT-SWAP"
TIME = 1_790_640_000_001


def moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize("kind", ["trades", "allswap-fundingrates"])
def test_a_day_of_utc_is_of_two_days_of_china(kind: str) -> None:
    first, second = TABLES[kind].files(NAME, date(2023, 8, 20))
    assert [moment(each) for each in (first.begin, first.end, second.begin, second.end)] == [
        "2023-08-19 16:00",
        "2023-08-20 16:00",
        "2023-08-20 16:00",
        "2023-08-21 16:00",
    ]
    assert second.name in {f"{NAME}-trades-2023-08-21.zip", "allswap-fundingrates-2023-08-21.zip"}


def test_books_are_of_days_of_utc() -> None:
    (file,) = TABLES["L2orderbook-400lv"].files(NAME, date(2026, 9, 29))
    assert (moment(file.begin), moment(file.end)) == ("2026-09-29 00:00", "2026-09-30 00:00")


class Gathered:
    def __init__(self) -> None:
        self.rows: dict[tuple[Stream, str], list[tuple[Any, ...]]] = {}

    def __call__(self, stream: Stream, native: str) -> Callable[[tuple[Any, ...]], None]:
        return self.rows.setdefault((stream, native), []).append


def line(action: str, time: int, bids: list[list[str]], asks: list[list[str]], name: str = NAME) -> bytes:
    return json.dumps({"instId": name, "action": action, "ts": str(time), "bids": bids, "asks": asks}).encode()


def test_a_snapshot_makes_a_book_known_and_another_one_replaces_it() -> None:
    gathered = Gathered()
    reader = OkxBookLines(gathered, [NAME])
    with pytest.raises(RejectedFrameError) as refused:
        reader.read(line("update", TIME, [["9", "1", "1"]], []))
    assert refused.value.code == "update_of_unknown_book"
    assert reader.known_from(NAME) is None
    first = line("snapshot", TIME + 1, [["9", "100", "1"], ["8", "100", "1"]], [["10", "300", "1"]])
    reader.read(first)
    reader.read(first)
    reader.read(line("snapshot", TIME + 3, [["9", "100", "1"]], [["10", "300", "1"]]))
    assert reader.known_from(NAME) == (TIME + 1) * 1_000
    books, quotes = gathered.rows[Stream.BOOK, NAME], gathered.rows[Stream.QUOTES, NAME]
    assert [row[0] for row in books] == [(TIME + 1) * 1_000, (TIME + 3) * 1_000]
    assert quotes == [((TIME + 1) * 1_000, None, 9.0, 100.0, 10.0, 300.0, None)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{", "malformed"),
        (b'{"instId": "BTC-USDT-SWAP", "action": "other", "ts": "1", "bids": [], "asks": []}', "malformed"),
        (line("snapshot", 5, [], []), "bad_time"),
        (line("snapshot", TIME, [], [], "ETH-USDT-SWAP"), "other_instrument"),
        (line("snapshot", TIME, [["-9", "1", "1"]], []), "malformed"),
    ],
)
def test_lines_that_are_none_are_refused(text: bytes, code: str) -> None:
    reader = OkxBookLines(Gathered(), [NAME])
    with pytest.raises(RejectedFrameError) as refused:
        reader.read(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (["MATIC-USDT-SWAP,.5747,.5748,.5744,.5744,1199,11990,6889.352,1692547260000,1"], (10, 1)),
        (["X-USDT-SWAP,1,1,1,1,3,0.03,1,1,1", "X-USDT-SWAP,1,1,1,1,7,0.07001,1,1,1"], (1, 100)),
        (["X-USDT-SWAP,1,1,1,1,0,0,1,1,1"], None),
        (["X-USD-SWAP,1,1,1,1,10,5,1,1,1"], None),
        (["X-USDT-SWAP,1,1,1,1,many,few,1,1,1"], None),
        ([], None),
    ],
)
def test_candles_tell_the_size_of_a_contract(rows: list[str], size: tuple[int, int] | None) -> None:
    told = read_size("\n".join(rows).encode())
    assert told == (None if size is None else Contract(*size, inverse=False))


def test_candles_tell_that_the_size_of_a_contract_changed() -> None:
    with pytest.raises(ValueError, match=r"between 0.01 and 0.1"):
        read_size(b"X-USDT-SWAP,1,1,1,1,3,0.03,1,1,1\nX-USDT-SWAP,1,1,1,1,3,0.3,1,1,1\n")
