"""One live connection: the handshake, what the client asks for, and what it is sent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from aperiodic.engine.live import newest_times
from aperiodic.server.stream.channels import MOST_CHANNELS, Channel, Rejection, names_of, read_channel
from aperiodic.server.stream.fanout import framed, row_message
from aperiodic.server.stream.replay import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.engine.live import LiveRow
    from aperiodic.server.service import Caller
    from aperiodic.server.stream.service import StreamService

__all__ = ["MOST_MESSAGES", "StreamConnection"]

_MOST_MESSAGE: Final = 1 << 18
MOST_MESSAGES: Final = 120
"""Messages of a client in a minute."""
_MINUTE_S: Final = 60.0
_LITTLE_BYTES: Final = 1 << 20
"""When no more is unread, more rows are told again."""
_REPLAYED_AT_ONCE: Final = 1_000
"""Rows that are written together of those that are told again."""
_REPLAYS_S: Final = 120.0
"""Rows that come meanwhile are remembered for longer."""
_LOOK_S: Final = 0.01
_UNREAD_S: Final = 20.0
"""A client that reads nothing of them for so long is let go."""
_QUEUED_BYTES: Final = 4 << 20
"""Bytes that a client may leave unread; then it is let go with 1013 and begins again."""
_HEARTBEAT_S: Final = 20.0
_LATEST: Final = 1 << 52
_OPEN_S: Final = 10.0
_CLOSE_S: Final = 10.0

SLOW: Final = 1013
OVER: Final = 4000
"""Close code: what is replayed has come to its end."""
LAPSED: Final = 4001
RESTART: Final = 1012
RATE: Final = 1008
DRAIN: Final = 1001

_CUT: Final = {SLOW: "slow", LAPSED: "lapsed", RATE: "rate", RESTART: "hole"}

_HEARTBEAT: Final = framed(b'{"op":"heartbeat"}')
_encode: Final = msgspec.json.Encoder().encode


class StreamConnection(asyncio.Protocol):
    """Speaks WebSocket with one client, in the place of HTTP.

    Attributes:
        caller: Who asks; None before the handshake is done.
    """

    def __init__(self, service: StreamService, peer: str, ended: Callable[[], object]) -> None:
        self.caller: Caller | None = None
        self._service = service
        self._peer = peer
        self._ended = ended
        self._protocol = ServerProtocol(max_size=_MOST_MESSAGE)
        self._transport: asyncio.Transport | None = None
        self._channels: dict[str, Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent_at = self._begun = time.monotonic()
        self._messages = 0
        self._minute = 0.0
        self._closing = False
        self.close_by = self._begun + _OPEN_S

    def take_over(self, transport: asyncio.Transport, head: bytes) -> None:
        """Begin with what the client has sent: the request to speak WebSocket, and what may follow it."""
        self._transport = transport
        transport.set_protocol(self)
        transport.resume_reading()
        self.data_received(head)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._spawn(self._shake_hands(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and not self._closing:
                self._read(bytes(event.data))
        self._flush()

    def eof_received(self) -> None:
        """The client has ended, and so does the connection."""
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the client."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        self._service.fanout.leave(self, self._channels.values())
        self._service.leave(self)
        self._ended()

    def send(self, frames: bytes) -> None:
        """Write rows, unless so much is unread that the client is let go."""
        transport = self._transport
        if transport is None or self._closing or self._protocol.state is not State.OPEN:
            return
        if transport.get_write_buffer_size() > _QUEUED_BYTES:
            self.close(SLOW, "rows are not read fast enough")
            return
        transport.write(frames)
        self._sent_at = time.monotonic()

    @property
    def queued(self) -> int:
        """Bytes that the client has not read yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def lose(self) -> None:
        """Let the client go because rows cannot be told to it: it begins again, and asks for them or knows of the gap."""
        self.close(RESTART, "rows were missed")

    def tick(self, now: float) -> None:
        """Send a heartbeat when it is due, and end what takes too long."""
        if self._protocol.state is State.OPEN and not self._closing:
            if now - self._sent_at >= _HEARTBEAT_S:
                self.send(_HEARTBEAT)
        elif now >= self.close_by and self._transport is not None:
            self._transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        if self._closing:
            return
        if code in _CUT:
            self._service.monitoring.count_cut(_CUT[code])
        self._closing = True
        self.close_by = time.monotonic() + _CLOSE_S
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
        self._flush()

    async def _shake_hands(self, request: Request) -> None:
        headers = list(request.headers.raw_items())
        admitted = await self._service.admit(headers, self._peer, self)
        if self._closing or self._transport is None:
            return
        if isinstance(admitted, bytes):  # a refusal
            self._closing = True
            self.close_by = time.monotonic() + _CLOSE_S
            self._transport.write(admitted)
            if self._transport.can_write_eof():
                self._transport.write_eof()
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if response.status_code == 101:  # noqa: PLR2004 - switching protocols
            self.caller = admitted
            self._sent_at = time.monotonic()
        else:
            self._closing = True
            self.close_by = time.monotonic() + _CLOSE_S
        self._flush()

    def _read(self, data: bytes) -> None:
        now = time.monotonic()
        if now - self._minute >= _MINUTE_S:
            self._minute, self._messages = now, 0
        self._messages += 1
        if self._messages > MOST_MESSAGES:
            self.close(RATE, f"more than {MOST_MESSAGES} messages a minute")
            return
        try:
            message = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._tell({"op": "error", "code": "invalid_message", "message": "A message is a JSON object."})
            return
        operations = {"subscribe": self._subscribe, "unsubscribe": self._unsubscribe, "ping": self._pong}
        operation = operations.get(message["op"]) if isinstance(message.get("op"), str) else None
        if operation is None:
            words = 'A message has an "op": subscribe, unsubscribe or ping.'
            self._tell(self._named(message) | {"op": "error", "code": "invalid_message", "message": words})
            return
        operation(message)

    def _subscribe(self, message: dict[str, Any]) -> None:
        problem = _problem_of(message)
        if problem is not None:
            code, words = problem
            self._tell(self._named(message) | {"op": "error", "code": code, "message": words})
            return
        taken, rejected = self._take(message["channels"])
        since = message.get("since")
        self._channels |= taken
        answer = self._named(message) | {"op": "subscribed", "channels": list(taken), "rejected": rejected}
        if since is not None and taken:
            self._spawn(self._replay(answer, list(taken.values()), since))
            return
        for channel in taken.values():
            self._service.fanout.enter(self, channel)
        self._tell(answer)
        for channel in taken.values():
            frames = list(self._service.fanout.snapshot(channel))
            if frames:
                self.send(b"".join(frames))

    def _take(self, asked: list[object]) -> tuple[dict[str, Channel], list[Rejection]]:
        """Read channels; return those that the client has from now on, and those that it cannot have."""
        taken: dict[str, Channel] = {}
        rejected: list[Rejection] = []
        if self.caller is None:
            return taken, rejected
        for each in asked:
            channel = read_channel(each, self.caller.plan)
            if isinstance(channel, Rejection):
                rejected.append(channel)
            elif len(self._channels.keys() | taken.keys() | {channel.name}) > MOST_CHANNELS:
                words = f"A connection has at most {MOST_CHANNELS} channels."
                rejected.append(Rejection(channel.name, "limit_exceeded", words))
            else:
                taken[channel.name] = _joined(taken.get(channel.name), channel)
        return taken, rejected

    async def _replay(self, answer: dict[str, Any], channels: list[Channel], since: int) -> None:
        """Tell what was missed since a time, then let new rows follow; nothing is told twice and nothing is left out."""
        replayed, began = True, time.monotonic()
        await self._service.fanout.settle()
        try:
            found = {
                channel.name: await asyncio.to_thread(self._service.fanout.missed, channel, since)
                for channel in channels
            }
            replayed = all(len(rows) < MOST_ROWS for rows in found.values())
        except Exception:  # noqa: BLE001 - whatever the store says: new rows go on all the same
            found, replayed = {channel.name: [] for channel in channels}, False
        self._tell(answer | {"replayed": replayed})
        for channel in channels:
            of_files, told = newest_times(found[channel.name]), found[channel.name]
            had = {(row.symbol, row.time, row.revision) for row in told}
            more = told
            # Many rows come while many are read.
            while len(more) > _REPLAYED_AT_ONCE or more is told:
                await self._tell_again(channel, more)
                await self._drained()
                if time.monotonic() - began > _REPLAYS_S:
                    self.lose()  # rows of meanwhile may be forgotten; the client begins again with what it has
                if self._closing:
                    return
                # From here on nothing else runs until the channel is entered: what comes meanwhile comes after it.
                more = [
                    row
                    for row in self._service.fanout.kept(channel, since)
                    if (row.symbol, row.time, row.revision) not in had
                    and (row.revision or row.time > of_files.get(row.symbol, -1))
                ]
                had |= {(row.symbol, row.time, row.revision) for row in more}
                told = told + more
            self._send_rows(channel, more)
            if channel.name in self._channels:
                self._service.fanout.enter(self, channel, since, newest_times(told))

    async def _tell_again(self, channel: Channel, rows: list[LiveRow]) -> None:
        """Write rows as fast as the client reads: at once they would be more than it may leave unread."""
        for begin in range(0, len(rows), _REPLAYED_AT_ONCE):
            await self._drained()
            self._send_rows(channel, rows[begin : begin + _REPLAYED_AT_ONCE])

    def _send_rows(self, channel: Channel, rows: list[LiveRow]) -> None:
        if rows:
            self.send(b"".join(framed(row_message(channel.name, row)) for row in rows))

    async def _drained(self) -> None:
        """Wait until little is unread; a client that reads nothing for long is let go."""
        least, since = self.queued, time.monotonic()
        while self.queued > _LITTLE_BYTES and not self._closing:
            await asyncio.sleep(_LOOK_S)
            if self.queued < least:
                least, since = self.queued, time.monotonic()
            elif time.monotonic() - since > _UNREAD_S:
                self.close(SLOW, "rows are not read fast enough")

    def _unsubscribe(self, message: dict[str, Any]) -> None:
        gone, rejected = [], []
        for name in names_of(message.get("channels"))[:MOST_CHANNELS]:
            channel = self._channels.pop(name, None)
            if channel is None:
                rejected.append(Rejection(name[:200], "unknown_channel", "It is not subscribed to."))
                continue
            self._service.fanout.leave(self, [channel])
            gone.append(name)
        self._tell(self._named(message) | {"op": "unsubscribed", "channels": gone, "rejected": rejected})

    def _pong(self, message: dict[str, Any]) -> None:
        self._tell(self._named(message) | {"op": "pong"})

    @staticmethod
    def _named(message: dict[str, Any]) -> dict[str, Any]:
        identity = message.get("id")
        return {"id": identity[:100]} if isinstance(identity, str) else {}

    def _tell(self, message: dict[str, Any]) -> None:
        self.send(Frame(Opcode.TEXT, _encode(message)).serialize(mask=False))

    def _spawn(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _flush(self) -> None:
        """Write what is to be written.

        Behind the last of it only the end is written, and the client is read until it ends too: a connection that is
        closed over unread messages is reset, and the client loses the close code.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
        if self._protocol.close_expected() and not self._closing:
            self._closing = True
            self.close_by = time.monotonic() + _CLOSE_S


def _problem_of(message: dict[str, Any]) -> tuple[str, str] | None:
    """Return code and words for a request of channels that cannot be read; None for one that can."""
    asked, since = message.get("channels"), message.get("since")
    if not isinstance(asked, list) or not asked:
        return "invalid_message", '"channels" is a list of channels.'
    if since is not None and (not isinstance(since, int) or isinstance(since, bool) or not 0 <= since < _LATEST):
        return "invalid_message", '"since" is a time in microseconds.'
    if len(asked) > MOST_CHANNELS:
        return "limit_exceeded", f"A message has at most {MOST_CHANNELS} channels."
    return None


def _joined(before: Channel | None, channel: Channel) -> Channel:
    """Return one channel for two of the same name: a client may ask for its symbols one by one."""
    if before is None:
        return channel
    if before.symbols is None or channel.symbols is None:
        return Channel(channel.name, channel.series, None)
    return Channel(channel.name, channel.series, before.symbols | channel.symbols)
