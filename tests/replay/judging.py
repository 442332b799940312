"""What a capture and its ledger know, beside what the mock says that it sent."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from aperiodic.completeness.gaps import read_gaps
from aperiodic.completeness.recorded import read_recorded
from aperiodic.engine.importing.stream_names import StreamNames
from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.recordings import list_recordings
from aperiodic.market import Exchange, Stream
from aperiodic.mock.wire import wire_of
from aperiodic.venues import feed_of, venue_of
from aperiodic.venues.events import RESTART_SLACK_US

if TYPE_CHECKING:
    from aperiodic.capture.session import Session
    from aperiodic.engine.importing.stream_names import ToldStream
    from aperiodic.lake import Lake
    from aperiodic.mock.wire.model import Said

__all__ = ["Judged", "judge"]

Key = tuple[str, int]
"""Stream, and the venue's number of the event, or its time where it has none."""

_MOST_EXTRA: Final = 0.01
_MOST_RESYNC_US: Final = 2_000_000
_TAIL_NS: Final = 1_000_000_000
_SLACK_US: Final = 100_000
"""Gaps by number have times of the exchange, others of arrival."""
_FRAME_US: Final = 1_100_000
"""Longest time between two frames of the simulated streams, about."""
_RETRY_US: Final = 1_000_000
"""`Retry-After` is in whole seconds."""
_TRADE_ID: Final = re.compile(rb'"tid":(\d+)')


@dataclass
class Judged:
    """The figures of one venue.

    Attributes:
        exchange: Which.
        figures: By name.
        wrong: Names of those that are not as they must be, with examples.
        kinds: Faults by kind.
        extra: Gaps for which there is no cause.
    """

    exchange: Exchange
    figures: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, list[Any]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    extra: list[Any] = field(default_factory=list)

    def must(self, name: str, examples: list[Any]) -> None:
        """Take something of which there must be none."""
        self.figures[name] = len(examples)
        if examples:
            self.wrong[name] = examples[:8]

    def table(self) -> str:
        """Return everything as text."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        lines = [f"{self.exchange}: {sum(self.kinds.values())} faults: {kinds}"]
        lines += [f"  {name:<52} {value:>12,.4g}" for name, value in self.figures.items()]
        lines += [f"  WRONG {name}: {examples}" for name, examples in self.wrong.items()]
        return "\n".join(lines)


def judge(exchange: Exchange, lake: Lake, truth: list[dict[str, Any]], session: Session) -> Judged:
    """Compare the truth of one venue with what was captured and with what the ledger says."""
    judged = Judged(exchange)
    judged.kinds.update(line["fault"]["kind"] for line in truth if line["what"] == "fault")
    received = _received(lake, exchange)
    told = [line for line in truth if line["what"] in {"sent", "withheld", "missed"}]
    told = [line for line in told if line["number"] is not None or line["time"]]
    begin, end = _window(told, received)
    first: dict[Key, dict[str, Any]] = {}
    for line in told:
        if begin[line["stream"]] <= line["ns"] < end[line["stream"]]:
            first.setdefault(_key(line), line)
    lost = {key: line for key, line in first.items() if key not in received}
    judged.figures["frames told"] = len(first)
    judged.figures["frames lost on the way"] = len(lost)
    judged.must("lost though sent over a connection that lived", _unexplained(truth, told, lost))
    _judge_gaps(judged, lake, _streams(exchange, truth, lost, received))
    _judge_requests(judged, truth, session)
    return judged


def _key(line: dict[str, Any]) -> Key:
    return line["stream"], line["time"] if line["number"] is None else line["number"]


def _received(lake: Lake, exchange: Exchange) -> dict[Key, int]:
    """Return when each frame of the recordings arrived first, ns."""
    wire = wire_of(exchange)
    found: dict[Key, int] = {}
    for recording in list_recordings(lake.home, exchange):
        with recording.path.open("rb") as file:
            lines = b"".join(block for _, block in whole_blocks(file)).split(b"\n")
        for line in lines:
            stamp, _, rest = line.partition(b" ")
            frame = rest.partition(b" ")[2]
            if not frame.startswith(b"{"):
                continue
            try:
                said = wire.read(frame)
            except (ValueError, RecursionError):
                continue
            if said is not None and said.stream:
                for number in _numbers(said, frame):
                    found.setdefault((said.stream, number), int(stamp))
    return found


def _numbers(said: Said, frame: bytes) -> list[int]:
    """Return by what the events of a frame are known: one of Hyperliquid may hold the trades of the last 50 s."""
    if said.number is None:
        return [said.time]
    return [int(each) for each in _TRADE_ID.findall(frame)] or [said.number]


def _window(
    told: list[dict[str, Any]], received: dict[Key, int]
) -> tuple[defaultdict[str, int], defaultdict[str, int]]:
    """Return from when to when each stream was captured, ns: from its first frame to its last."""
    begin: defaultdict[str, int] = defaultdict(lambda: 1 << 62)
    end: defaultdict[str, int] = defaultdict(int)
    for line in told:
        if _key(line) in received:
            stream, ns = line["stream"], line["ns"]
            begin[stream], end[stream] = min(begin[stream], ns), max(end[stream], ns)
    return begin, end


def _unexplained(truth: list[dict[str, Any]], told: list[dict[str, Any]], lost: dict[Key, dict[str, Any]]) -> list[Any]:
    """Return lost frames that were sent over a connection that was not cut right afterwards."""
    closed = {line["connection"]: line["ns"] for line in truth if line["what"] == "close"}
    return [
        _key(line)
        for line in told
        if line["what"] == "sent"
        and _key(line) in lost
        and closed.get(line["connection"], 1 << 62) > line["ns"] + _TAIL_NS
    ]


@dataclass
class _Stream:
    """What is known of one stream, times in µs.

    Attributes:
        told: What it becomes.
        arrived: When its frames arrived, ascending.
        numbers: By what they are known.
        lost: When frames were sent, or were to be sent, that did not arrive.
        outages: From when to when nobody listened.
        broken: When frames of a book came in another order, or its numbers began anew: nothing is lost then, but
            the book is not known until it was fetched again.
        refused: From when to when the REST host refused, or gave something else than the book as it is.
    """

    told: ToldStream
    arrived: list[int]
    numbers: list[int]
    lost: list[int]
    outages: list[tuple[int, int]]
    broken: list[int]
    refused: list[tuple[int, int]]

    def cause(self, left: int, right: int) -> tuple[int, int] | None:
        """Return between which frames something went wrong about that time; None when nothing did."""
        points = [at for at in (*self.lost, *self.broken) if left - _FRAME_US <= at <= right + _FRAME_US]
        points += [at for each in self.outages if each[0] <= right and each[1] >= left for at in each]
        if not points:
            return None
        before = [at for at in self.arrived if at <= min(points)]
        after = [at for at in self.arrived if at > max(points)]
        return (before[-1] if before else left, after[0] if after else right)

    def refusals(self, left: int, right: int) -> list[int]:
        """Return until when the REST host refused between two times."""
        return [end for begin, end in self.refused if begin <= right and end >= left]


def _streams(
    exchange: Exchange, truth: list[dict[str, Any]], lost: dict[Key, dict[str, Any]], received: dict[Key, int]
) -> dict[str, _Stream]:
    names = StreamNames(exchange)
    found: dict[str, _Stream] = {}
    for (name, number), ns in sorted(received.items(), key=lambda item: item[1]):
        told = names.read(name)
        if told is not None and name not in found:
            troubles = _book_troubles(exchange, truth, name, told)
            found[name] = _Stream(told, [], [], [], _outages(truth, name), *troubles)
        if told is not None:
            found[name].arrived.append(ns // 1_000)
            found[name].numbers.append(number)
    for (name, _), line in lost.items():
        found[name].lost.append(line["ns"] // 1_000)
    return found


def _outages(truth: list[dict[str, Any]], stream: str) -> list[tuple[int, int]]:
    """Return from when to when no connection was subscribed to a stream, between two that were."""
    carriers: set[str] = set()
    since, outages = 0, []
    for line in truth:
        if line["what"] == "subscribe" and stream in line["streams"]:
            if not carriers and since:
                outages.append((since // 1_000, line["ns"] // 1_000))
            carriers.add(line["connection"])
        elif line["what"] == "close" and line["connection"] in carriers:
            carriers.discard(line["connection"])
            since = line["ns"]
    return outages


def _book_troubles(
    exchange: Exchange, truth: list[dict[str, Any]], name: str, told: ToldStream
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return what makes a book unknown though no frame is lost, and what keeps it so: see `_Stream`."""
    if Stream.BOOK not in told.streams:
        return [], []
    broken = [line["ns"] // 1_000 for line in truth if line.get("stream") == name and line.get("note") == "reordered"]
    refused = []
    native = "" if told.symbol is None else venue_of(exchange).native(told.symbol)
    for line in truth:
        at, fault = line["ns"] // 1_000, line.get("fault", {})
        own = fault.get("symbol", "").lower() in name.lower()
        if line["what"] == "rest" and "why" in line and native in line["url"]:
            refused.append((at, at))
        elif fault.get("kind") == "sequence_reset" and own:
            broken.append(at + RESTART_SLACK_US)  # lower numbers are taken for repetitions until then
        elif fault.get("kind") in {"refuse", "rate_limited"}:
            wait = _RETRY_US if fault["kind"] == "rate_limited" else 0
            refused.append((at, at + int(fault["seconds"] * 1e6) + wait))
    return broken, refused


def _judge_gaps(judged: Judged, lake: Lake, streams: dict[str, _Stream]) -> None:
    """Compare gaps by time with losses and outages."""
    unknown: list[Any] = []
    too_long: list[Any] = []
    unmarked: list[Any] = []
    resyncs, refused, after_refusal = [0], [0], [0]
    extra_us = whole_us = rows = 0
    for name, stream in streams.items():
        holes = _holes(lake, judged.exchange, stream.told)
        rows += len(holes)
        whole_us += stream.arrived[-1] - stream.arrived[0]
        unknown += [
            (name, at)
            for at in stream.lost
            if not any(left - _FRAME_US <= at <= right + _FRAME_US for left, right, *_ in holes)
        ]
        is_book = Stream.BOOK in stream.told.streams
        for left, right, why, numbers in holes:
            cause = stream.cause(left, right)
            if cause is None:
                extra_us += right - left
                judged.extra.append((name, why, left, right))
                continue
            begin, end = cause
            extra_us += max(0, begin - left - _SLACK_US)
            if is_book:
                if refusals := stream.refusals(left, right):
                    refused.append(right - end)
                    after_refusal.append(right - max(end, *refusals))
                else:
                    resyncs.append(right - end)
                    too_long += [(name, why, right - end, left)] if right - end > _MOST_RESYNC_US else []
            else:
                extra_us += max(0, right - end - _SLACK_US)
                if numbers is None:
                    between = sum(left + _SLACK_US < at < right for at in stream.arrived)
                else:
                    between = sum(numbers[0] < number <= numbers[1] for number in stream.numbers)
                unmarked += [(name, why, left, right, between)] if between > 1 else []
    judged.figures["gaps in the ledger"] = rows
    judged.must("lost frames that no gap tells of", unknown)
    judged.must("gaps with more than one frame inside", unmarked)
    judged.figures["time in gaps without cause, of all"] = extra_us / max(1, whole_us)
    if extra_us > _MOST_EXTRA * whole_us:
        judged.wrong["time in gaps without cause, of all"] = [extra_us / 1e6, whole_us / 1e6, *judged.extra[:10]]
    judged.figures["slowest book that was right again, s"] = max(resyncs) / 1e6
    judged.must("books that were right again later than after 2 s", too_long)
    judged.figures["books for which the REST host refused meanwhile"] = len(refused) - 1
    judged.figures["slowest of those, s"] = max(refused) / 1e6
    judged.figures["slowest of those after the last refusal, s"] = max(after_refusal) / 1e6


def _holes(lake: Lake, exchange: Exchange, told: ToldStream) -> list[tuple[int, int, str, tuple[int, int] | None]]:
    """Return what the ledger says is missing of a stream: by time, and where it is numbered by number.

    Each is told by its edges (µs), its cause, and its numbers: missing are those after the first, up to the
    last; None by time.
    """
    symbol = str(told.symbol)
    holes: list[tuple[int, int, str, tuple[int, int] | None]] = []
    with lake.engine.connect() as connection:
        recorded = read_recorded(connection, exchange, [symbol], 0, 1 << 60)
        for stream in told.streams:
            own = recorded.get((symbol, stream), [])
            for left, right in pairwise(own):
                holes.append((left.last_time, right.first_time, left.ends or right.begins, None))
            if own and own[-1].ends:  # it did not come again
                end = max(item.last_time for items in recorded.values() for item in items)
                holes.append((own[-1].last_time, end, own[-1].ends, None))
            rows = read_gaps(connection, exchange, symbol, stream)
            holes += [
                (row.first_time, row.last_time, row.cause, (row.after_sequence, row.before_sequence)) for row in rows
            ]
    return sorted(set(holes), key=lambda hole: hole[:3])


def _judge_requests(judged: Judged, truth: list[dict[str, Any]], session: Session) -> None:
    rest = [line for line in truth if line["what"] == "rest"]
    most = feed_of(judged.exchange).limits.weight
    used = max((line["used"] for line in rest), default=0)
    judged.figures["REST requests"] = len(rest)
    judged.figures["most weight used, of what is allowed"] = used / most
    if used > 0.8 * most:
        judged.wrong["most weight used, of what is allowed"] = [used, most]
    refusals = [
        (line["ns"], line["ns"] + int(line["fault"]["seconds"] * 1e9))
        for line in truth
        if line["what"] == "fault" and line["fault"]["kind"] == "rate_limited"
    ]
    early = []
    for begin, end in refusals:
        asked = [line for line in rest if begin <= line["ns"] < end]
        early += [line["url"] for line in asked[1:] if line["ns"] > asked[0]["ns"] + 100_000_000]
    judged.must("requests before Retry-After", early)
    good = sum(line["status"] == 200 and line.get("number") is not None and "why" not in line for line in rest)
    books = session.books
    judged.figures["books that broke"] = books.resyncs
    judged.figures["snapshots answered as they should be"] = good
    judged.figures["REST requests refused, or answered with a page or an old book"] = sum(
        "why" in line for line in rest
    )
    refetched = good - len(session.natives) if feed_of(judged.exchange).snapshot(session.natives[0]) else 0
    if judged.exchange is Exchange.OKX_PERPS:
        refetched = good
    judged.figures["snapshots a book that broke"] = refetched / books.resyncs if books.resyncs else 0.0
    if refetched > books.resyncs:
        judged.wrong["snapshots a book that broke"] = [refetched, books.resyncs]
