"""From a socket to the disk: our capture against a bare `websockets` client that throws away what it receives.

Depth updates of 2 KB come from a process of their own, as fast as they are taken. What is measured is processor time
of the receiving process, so that both are told as frames a second on one core.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import socket
import struct
import time
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import connect

from aperiodic.capture.connection import Connection
from aperiodic.capture.recorder import Recorder, until_flush_s
from aperiodic.capture.segments import SegmentWriter
from aperiodic.market import Exchange
from aperiodic.venues import feed_of
from aperiodic.venues.binance.chain import DepthChain
from benchmarks.measure import Pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection as Pipe

    from aperiodic.venues.feed import Channel, Subscription

__all__ = ["capture_against_websockets"]

FRAME: Final = 2_000
_BURST: Final = 200
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LEVELS: Final = 100
_BODIES: Final = 5_000
"""So many updates differ in their levels: more than a compressor remembers."""

_NUMBERS: Final = re.compile(rb'"U":\d+,"u":\d+,"pu":\d+')
_NOTHING: Final = '],"a":['


def capture_against_websockets(frames: int, pairs: int, *, whole: bool) -> Pairs:
    """Measure both in turns; the figures are processor seconds a frame.

    Args:
        frames: Frames to receive.
        pairs: Turns.
        whole: Whether the thread that compresses and writes is counted; if not, only that of the event loop, which
            is what limits the rate where there is a second core.
    """
    clock = time.process_time if whole else time.thread_time
    return Pairs.of((_measured(_ours, frames, clock), _measured(_theirs, frames, clock)) for _ in range(pairs))


def _measured(receive: Callable[[str, int], None], frames: int, clock: Callable[[], float]) -> float:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    sender = context.Process(target=_send, args=(theirs, frames), daemon=True)
    sender.start()
    try:
        url = f"ws://127.0.0.1:{ours.recv()}/public/stream"
        begin = clock()
        receive(url, frames)
        return (clock() - begin) / frames
    finally:
        sender.kill()
        sender.join()


def _ours(url: str, frames: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_capture(url, frames, Path(folder)))


async def _capture(url: str, frames: int, home: Path) -> None:
    feed = feed_of(Exchange.BINANCE_FUTURES)
    writer = SegmentWriter(
        home, feed.exchange, "bench", segment_bytes=256 << 20, queue_bytes=2 * FRAME * frames, floor_bytes=0
    )
    recorder = Recorder(writer, feed.read)
    book = next(channel for channel in feed.channels if channel.name == "book")
    stream = feed.subscription(book, "BTCUSDT")
    watcher = _Watcher()
    connection = Connection("c1", feed, "public", url, [stream], recorder, watcher)
    writer.start()
    task = asyncio.create_task(connection.run())
    while connection.data < frames:
        await asyncio.sleep(until_flush_s(time.time() * 1_000))
        recorder.flush()
    await connection.close("done")
    await task
    recorder.flush()
    writer.finish()
    if lost := recorder.losses.frames.total():
        raise RuntimeError(f"{lost} frames were lost")


class _Watcher:
    """Watches the numbers of the book, as a capture does."""

    def __init__(self) -> None:
        self._chain = DepthChain()
        self._chain.see(_depth(0), 0)
        self._chain.snapshot(b'{"lastUpdateId":1000}', 0)

    def watch(self, stream: Subscription) -> Callable[[bytes, int], object] | None:
        del stream
        return self._chain.see

    def will_close(self, connection: Connection) -> None:
        del connection

    def silent_channel(self, connection: Connection, channel: Channel, streams: Sequence[Subscription]) -> None:
        del connection, channel, streams

    def say(self, words: str) -> None:
        del words


def _theirs(url: str, frames: int) -> None:
    asyncio.run(_receive(url, frames))


async def _receive(url: str, frames: int) -> None:
    async with connect(url, compression=None, max_size=None) as socket_:
        for _ in range(frames):
            await socket_.recv()


def _depth(number: int) -> bytes:
    """Return an update of 2 KB with the levels of no other: real ones are compressed to a fifth or so."""
    first = 1_000 + number
    chance = Random(number)  # noqa: S311 - made-up prices
    head = (
        f'{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","E":{1_795_000_000_140 + number},'
        f'"T":{1_795_000_000_138 + number},"s":"BTCUSDT","U":{first},"u":{first},"pu":{first - 1},"b":['
    )
    levels = (f'["{84_000 + chance.randrange(400) / 10:.2f}","{chance.expovariate(1):.3f}"]' for _ in range(_LEVELS))
    tail = "]}}"
    text = head + ",".join(levels)
    return (text[: FRAME - len(tail) - len(_NOTHING)].rpartition(",[")[0] + _NOTHING + tail).encode()


def _renumbered(frame: bytes, number: int) -> bytes:
    first = 1_000 + number
    return _NUMBERS.sub(b'"U":%d,"u":%d,"pu":%d' % (first, first, first - 1), frame)


def _send(pipe: Pipe, frames: int) -> None:
    """Speak just enough of the protocol to send frames to one client."""
    bodies = [_depth(number) for number in range(_BODIES)]
    listening = socket.create_server(("127.0.0.1", 0))
    pipe.send(listening.getsockname()[1])
    client, _ = listening.accept()
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4_096)
    key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    token = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n"
    )
    for begin in range(0, frames, _BURST):
        burst = bytearray()
        for number in range(begin + 1, min(begin + _BURST, frames) + 1):
            frame = _renumbered(bodies[number % len(bodies)], number)
            burst += b"\x81\x7e" + struct.pack(">H", len(frame)) + frame
        client.sendall(burst)
    time.sleep(60)
