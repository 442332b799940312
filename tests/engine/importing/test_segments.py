from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import depth, mark, quote, snapshot, trade
from tests.engine.importing.segments import T, Writer, closed, compressed, live, opened, over, rest, told
from tests.lakes import BTC, VENUE

from aperiodic.completeness.recorded import read_recorded
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.importing.lines import Line, read_line
from aperiodic.engine.normalising import Normaliser
from aperiodic.lake import ObjectKind
from aperiodic.market import Exchange
from aperiodic.venues import RejectedFrameError

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.lake import Lake

TRADES, QUOTES, MARKS = "btcusdt@trade", "btcusdt@bookTicker", "btcusdt@markPrice@1s"
ALL = (TRADES, QUOTES, MARKS)


def rows(lake: Lake, stream: str) -> int:
    return sum(record.rows for record in lake.current(ObjectKind.TICKS, dataset=stream))


def recorded(lake: Lake, stream: str) -> list[tuple[float, float, str, str]]:
    """When a stream was recorded, ms after T, and why not before or after."""
    with lake.engine.connect() as connection:
        found = read_recorded(connection, VENUE, [str(BTC)], 0, 1 << 60)
    return [
        (item.first_time / 1_000 - T, item.last_time / 1_000 - T, item.begins, item.ends)
        for item in found[str(BTC), stream]
    ]


def segment(path: Path, *lines: bytes) -> Path:
    path.write_bytes(compressed(lines))
    return path


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b'a1 {"x":1}', Line(5, b'{"x":1}', connection="a1")),
        (b"a1 pong", Line(5, b"pong", connection="a1")),
        (b"a1 !b64 " + base64.b64encode(b"\xff\n{"), Line(5, b"\xff\n{", connection="a1")),
        (b"rest !rest https://x/depth?a=1 200 {}", Line(5, b"{}", url="https://x/depth?a=1", connection="rest")),
        (b"rest !rest https://x 429 <html>", Line(5, b"", ignored="failed_rest_answer", connection="rest")),
        (b"a1 !open {}", Line(5, b"{}", ignored="connection", connection="a1", told="open")),
        (b'a1 !sent {"method":1}', Line(5, b"", ignored="outgoing", connection="a1")),
        (b'- !clock {"offset_us":3}', Line(5, b"", ignored="clock", connection="-")),
        (b"a1 !later words", Line(5, b"", ignored="later", connection="a1")),
    ],
)
def test_lines_of_a_segment_are_told_apart(text: bytes, line: Line) -> None:
    stamp = T * 1_000_000 + 5_000
    assert read_line(b"%d %s" % (stamp, text)) == line._replace(local=T * 1_000 + 5)


@pytest.mark.parametrize("text", [b"a1 !b64 ***", b"a1 !Wrong {}", b"a1 ! {}"])
def test_a_line_that_the_recorder_cannot_have_written_is_refused(text: bytes) -> None:
    with pytest.raises(RejectedFrameError) as refusal:
        read_line(b"%d %s" % (T * 1_000_000, text))
    assert refusal.value.code == "malformed"


def test_a_segment_is_a_recording(lake: Lake, tmp_path: Path) -> None:
    path = segment(
        tmp_path / "host-a-1.zst",
        opened(0, "a1", *ALL),
        *(over("a1", each) for n in range(1, 5) for each in (trade(n), quote(n))),
        told(5, "a1", "sent", method="SUBSCRIBE"),
        over("a1", mark(6)),
        closed(7, "a1", "shutdown", "us"),
    )
    (report,) = import_recordings(lake, VENUE, [path])
    assert report.rejected == {}
    assert report.ticks == {"trades": 4, "quotes": 4, "mark_price": 1, "index_price": 1, "funding_rate": 1}


def test_what_two_connections_bring_while_one_takes_over_is_kept_once(lake: Lake, tmp_path: Path) -> None:
    both = [line for n in range(10, 20) for line in (trade(n), quote(n), mark(n))]
    lines = [
        opened(0, "a1", *ALL),
        *(over("a1", each) for n in range(1, 10) for each in (trade(n), quote(n), mark(n))),
        opened(9.5, "b2", *ALL),
    ]
    for line in both:
        lines += [over("a1", line), over("b2", line, ms=0.2)]
    lines += [closed(20, "a1", "hand-over", "us"), *(over("b2", mark(n)) for n in range(21, 30))]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    assert (rows(lake, "trades"), rows(lake, "quotes"), rows(lake, "mark_price")) == (19, 19, 28)
    ((begin, end, begins, ends),) = recorded(lake, "mark_price")
    assert (round(begin), round(end), begins, ends) == (1, 29, "", "")


def test_a_quiet_connection_is_recorded_until_its_recorder_ends_it(lake: Lake, tmp_path: Path) -> None:
    lines = [
        opened(0, "a1", "btcusdt@trade"),
        over("a1", trade(1)),
        opened(50, "b2", "btcusdt@trade"),
        over("b2", trade(60)),
        closed(65, "a1", "handed over", "us"),
        closed(70, "b2", "capture ends", "us"),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    ((begin, end, begins, ends),) = recorded(lake, "trades")
    assert (round(begin), round(end), begins, ends) == (1, 70, "", "")


def test_equal_frames_of_one_connection_are_several(lake: Lake, tmp_path: Path) -> None:
    lines = [
        opened(0, "a1", MARKS),
        opened(0, "b2", MARKS),
        over("a1", mark(1)),
        over("a1", mark(1), ms=1),
        over("b2", mark(1), ms=1.5),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    assert rows(lake, "mark_price") == 2


@pytest.mark.parametrize(
    ("reason", "by", "cause"),
    [("connection reset", "venue", "disconnect"), ("stale", "us", "stale"), ("disk full", "us", "disk_full")],
)
def test_a_connection_that_breaks_leaves_a_gap_from_its_last_frame_to_the_first_of_the_next(
    lake: Lake, tmp_path: Path, reason: str, by: str, cause: str
) -> None:
    lines = [
        opened(0, "a1", MARKS),
        *(over("a1", mark(n)) for n in range(1_000, 5_000, 1_000)),
        closed(4_700, "a1", reason, by),
        opened(6_000, "b2", MARKS),
        live(7_000, "b2", MARKS),
        *(over("b2", mark(n)) for n in range(7_000, 9_000, 1_000)),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    first, second = recorded(lake, "mark_price")
    assert (round(first[0]), round(first[1]), first[3]) == (1_000, 4_000, cause)
    assert (round(second[0]), round(second[1]), second[2]) == (7_000, 8_000, cause)


@pytest.mark.parametrize(
    ("acknowledged", "begin"),
    [
        ([6_100], 6_100),
        ([5_900], 7_000),  # before the connection was open: not to be believed
        ([7_200], 7_000),
        ([0], 7_000),
        ([], 7_000),
    ],
)
def test_a_first_frame_proves_that_nothing_is_missing_since_the_stream_was_acknowledged(
    lake: Lake, tmp_path: Path, acknowledged: list[int], begin: int
) -> None:
    since = [round((T + ms) * 1_000_000) if ms else 0 for ms in acknowledged]
    lines = [
        opened(0, "a1", MARKS),
        *(over("a1", mark(n)) for n in range(1_000, 5_000, 1_000)),
        closed(4_700, "a1"),
        opened(6_000, "b2", MARKS),
        over("b2", mark(7_000)),
        live(7_100, "b2", MARKS, acknowledged=since),
        over("b2", mark(8_000)),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    first, second = recorded(lake, "mark_price")
    assert (round(first[1]), first[3]) == (4_000, "disconnect")
    assert (round(second[0]), round(second[1]), second[2]) == (begin, 8_000, "disconnect")


@pytest.mark.parametrize(
    ("closes", "second"),
    [
        (8_000, None),  # b2 took over from a1
        (6_100, 7_000),
    ],
)
def test_an_acknowledged_book_is_recorded_since_then_only_where_another_connection_carried_it(
    lake: Lake, tmp_path: Path, closes: int, second: int | None
) -> None:
    book = "btcusdt@depth@0ms"
    lines = [
        opened(0, "a1", book),
        *(over("a1", depth(n)) for n in (1, 2)),
        rest(2, snapshot(1), "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"),
        over("a1", depth(3), ms=6_000),
        opened(6_200, "b2", book),
        closed(closes, "a1"),
        over("b2", depth(4), ms=6_996),
        live(8_100, "b2", book, acknowledged=[round((T + 6_300) * 1_000_000)]),
        over("b2", depth(5), ms=8_995),
    ]
    if closes > 7_000:
        lines[-4:-4] = [over("a1", trade(6_500))]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    found = recorded(lake, "book")
    assert [round(item[0]) for item in found[1:]] == ([] if second is None else [second])


def test_what_was_dropped_before_a_stream_was_proven_is_missing_though_it_was_acknowledged(
    lake: Lake, tmp_path: Path
) -> None:
    ns = T * 1_000_000
    lines = [
        opened(0, "a1", MARKS),
        *(over("a1", mark(n)) for n in range(1_000, 5_000, 1_000)),
        closed(4_700, "a1"),
        opened(6_000, "b2", MARKS),
        told(
            6_500,
            "b2",
            "gap",
            **{"from": ns + 6_200_000_000, "to": ns + 6_400_000_000},
            streams=[MARKS],
            cause="dropped",
        ),
        over("b2", mark(7_000)),
        live(7_100, "b2", MARKS, acknowledged=[ns + 6_100_000_000]),
        over("b2", mark(8_000)),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    _, second = recorded(lake, "mark_price")
    assert round(second[0]) == 6_400


def test_blocks_that_were_dropped_and_streams_that_fell_silent_are_gaps(lake: Lake, tmp_path: Path) -> None:
    ns = T * 1_000_000
    lines = [
        opened(0, "a1", MARKS),
        *(over("a1", mark(n)) for n in range(1_000, 5_000, 1_000)),
        told(
            6_000,
            "a1",
            "gap",
            **{"from": ns + 4_200_000_000, "to": ns + 5_900_000_000, "frames": 2, "bytes": 9},
            streams=[MARKS],
            cause="dropped",
        ),
        *(over("a1", mark(n)) for n in range(6_000, 8_000, 1_000)),
        told(20_000, "a1", "silent", streams=[MARKS]),
        live(30_000, "a1", MARKS),
        over("a1", mark(30_000)),
        over("a1", mark(31_000)),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    found = [(round(begin), round(end), begins, ends) for begin, end, begins, ends in recorded(lake, "mark_price")]
    assert found == [
        (1_000, 4_200, "", "dropped"),
        (5_900, 7_000, "dropped", "stale"),
        (30_000, 31_000, "stale", ""),
    ]


def test_a_rest_answer_in_a_segment_makes_the_book_known(lake: Lake, tmp_path: Path) -> None:
    lines = [
        opened(0, "a1", "btcusdt@depth@0ms"),
        *(over("a1", depth(n)) for n in range(1, 4)),
        rest(3.5, snapshot(2), "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"),
        *(over("a1", depth(n)) for n in range(4, 7)),
    ]
    (report,) = import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    assert report.rejected == {}
    assert rows(lake, "book") == 3


def test_what_is_asked_for_again_and_again_is_taken_once_also_where_a_segment_begins_with_it(
    lake: Lake, tmp_path: Path
) -> None:
    url = "https://fapi.binance.com/fapi/v1/openInterest?symbol=BTCUSDT"

    def answer(ms: int) -> bytes:
        return rest(
            ms, b"0 " + json.dumps({"symbol": "BTCUSDT", "openInterest": "10", "time": T + ms}).encode() + b"\n", url
        )

    first, second = ([answer(ms), opened(ms, "a1", "btcusdt@trade"), answer(ms + 3)] for ms in (1, 10))
    paths = [segment(tmp_path / "1.zst", *first), segment(tmp_path / "2.zst", *second)]
    reports = import_recordings(lake, VENUE, paths)
    assert [report.rejected for report in reports] == [{}, {}]
    assert rows(lake, "open_interest") == 4


def test_an_empty_segment_does_not_hide_those_after_it(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    for number in (1, 2, 3):
        if number == 2:
            writer.block()
        else:
            writer.block(opened(number, "a1", "btcusdt@bookTicker"), over("a1", quote(number)))
        writer.seal()
    Normaliser(lake).run_once()
    assert rows(lake, "quotes") == 2


def test_a_stream_that_was_never_proven_was_not_lost_when_its_connection_broke(lake: Lake, tmp_path: Path) -> None:
    lines = [
        opened(0, "a1", MARKS, QUOTES),
        over("a1", mark(1)),
        over("a1", mark(2)),
        closed(3, "a1"),
        opened(4, "b2", MARKS, QUOTES),
        *(over("b2", each) for n in range(5, 9) for each in (mark(n), quote(n))),
    ]
    import_recordings(lake, VENUE, [segment(tmp_path / "s.zst", *lines)])
    assert [item[2:] for item in recorded(lake, "quotes")] == [("", "")]
    assert [item[2:] for item in recorded(lake, "mark_price")] == [("", "disconnect"), ("disconnect", "")]


@pytest.mark.parametrize("follows", [False, True], ids=["imported", "normalised"])
def test_quotes_that_are_made_from_a_book_are_recorded_when_it_is(lake: Lake, *, follows: bool) -> None:
    venue, name = Exchange.HYPERLIQUID_PERPS, "l2Book:BTC"
    writer = Writer(lake.home, venue)
    writer.block(opened(0, "a1", name), *(whole_book("a1", ms) for ms in (100, 600, 1_100)))
    writer.seal(recovered=True)  # its recorder was killed
    writer.block(opened(5_000, "b1", name), *(whole_book("b1", ms) for ms in (5_100, 5_600, 6_100)))
    sealed = writer.seal()
    if follows:
        Normaliser(lake).run_once()
    else:
        import_recordings(lake, venue, sorted(sealed.path.parent.glob("*.zst")))
    with lake.engine.connect() as connection:
        found = read_recorded(connection, venue, ["perpetual-BTC-USDC:USDC"], 0, 1 << 60)
    for stream in ("book", "quotes"):
        pieces = found["perpetual-BTC-USDC:USDC", stream]
        assert [(item.first_time / 1_000 - T, item.last_time / 1_000 - T) for item in pieces] == [
            (100, 1_100),
            (5_100, 6_100),
        ]


def whole_book(connection: str, ms: float) -> bytes:
    """A book as Hyperliquid sends it, whose best amounts change."""
    levels = [[{"px": price, "sz": str(ms), "n": 1}] for price in ("99", "101")]
    frame = {"channel": "l2Book", "data": {"coin": "BTC", "time": T + ms, "levels": levels}}
    return f"{round((T + ms) * 1_000_000)} {connection} {json.dumps(frame)}\n".encode()
