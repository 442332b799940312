"""One connection: it is opened, subscribed, proven stream by stream, watched, and closed.

    dialling → open → subscribing → proving → live → draining → closed

An acknowledgement proves nothing; a stream is proven by its first frame.
"""

from __future__ import annotations

import asyncio
import time
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from aperiodic.capture.sockets import dial
from aperiodic.capture.streams import StreamState, look_at
from aperiodic.venues.feed import FrameKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from aperiodic.capture.recorder import Recorder
    from aperiodic.capture.sockets import Socket
    from aperiodic.venues.feed import Channel, Feed, Frame, Subscription

__all__ = ["Connection", "Stage", "Watcher"]

TICK_S: Final = 0.25
_DATA: Final = FrameKind.DATA
_ACK_S: Final = 0.5
_PROBE_S: Final = 5.0
_DEAD_S: Final = 15.0
_SOON_S: Final = 2.0
_QUIET_S: Final = 120.0
_MOST_NAMED: Final = 5


class Stage(Enum):
    """How far a connection is."""

    DIALLING = auto()
    OPEN = auto()
    SUBSCRIBING = auto()
    PROVING = auto()
    LIVE = auto()
    DRAINING = auto()
    CLOSED = auto()


class Watcher(Protocol):
    """Is told what a connection comes upon."""

    def watch(self, stream: Subscription) -> Callable[[bytes, int], object] | None:
        """Return what takes the frames of a stream that is watched; None for others."""

    def will_close(self, connection: Connection) -> None:
        """Take that the venue has announced the end of the connection."""

    def silent_channel(self, connection: Connection, channel: Channel, streams: Sequence[Subscription]) -> None:
        """Take that no stream of a channel brought anything on this connection."""

    def say(self, words: str) -> None:
        """Take what a person should know."""


class Connection:
    """One socket and what travels over it.

    Attributes:
        name: Short id in the recording.
        host: Class of host.
        url: Address.
        stage: How far it is.
        streams: What is known of its streams, by name.
        data: Data frames that came.
        unasked: Data frames of streams that were not asked for.
        opened: When it was opened, seconds of the monotonic clock; 0 before.
        suspects: Instruments asked for last and not acknowledged when the venue cut the connection right afterwards.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        host: str,
        url: str,
        streams: Iterable[Subscription],
        recorder: Recorder,
        watcher: Watcher,
    ) -> None:
        """Prepare; `run` does the rest.

        Args:
            name: Short id, unique in a recording.
            feed: The venue.
            host: Class of host.
            url: Address to dial.
            streams: What is subscribed to.
            recorder: Takes the lines.
            watcher: Is told what happens.
        """
        self.name, self.host, self.url = name, host, url
        self.stage = Stage.DIALLING
        self.streams = {each.name: StreamState(each, watcher.watch(each)) for each in streams}
        self.data = self.unasked = 0
        self.opened = 0.0
        self.suspects: list[str] = []
        self._feed, self._recorder, self._watcher = feed, recorder, watcher
        self._read = feed.read
        self._pong = feed.heartbeat.answer
        self._id = name.encode()
        self._socket: Socket | None = None
        self._closed = asyncio.Event()
        self._goodbye: tuple[int, str] | None = None
        self._requests: dict[int, tuple[str, ...]] = {}
        self._request = 1
        self._sent = self._heard = self._probed = 0.0
        self._any = self._any_before = self._data_before = 0
        self._data_changed = 0.0
        self._last_asked: list[Subscription] = []
        self._asked_at = 0.0
        self._said: set[str] = set()

    def on_message(self, local: int, message: bytes, *, is_text: bool) -> None:
        """Take a message: write it down first, then look what it is."""
        self._any += 1
        if message == self._pong:
            return
        self._recorder.frame(local, self._id, message, is_text=is_text)
        told = self._read(message)
        if told.kind is not _DATA:
            self._other(told, local)
            return
        self.data += 1
        stream = self.streams.get(told.name)
        if stream is None:
            self.unasked += 1
            return
        stream.seen += 1
        if stream.watch is not None:
            stream.watch(message, local)

    def on_sign_of_life(self, local: int) -> None:
        """Take a ping or pong."""
        del local
        self._any += 1

    def on_closed(self, code: int, reason: str, by: str) -> None:
        """Take the end."""
        if self.stage is Stage.CLOSED:
            return
        self.stage = Stage.CLOSED
        if self._goodbye is not None:
            (code, reason), by = self._goodbye, "us"
        self._recorder.connections.pop(self._id, None)
        self._recorder.word(time.time_ns(), self._id, "close", {"code": code, "reason": reason, "by": by})
        if by == "venue":
            if time.monotonic() - self._asked_at < _SOON_S:
                unanswered = [each.native for each in self._last_asked if not self.streams[each.name].acknowledged]
                self.suspects = list(dict.fromkeys(unanswered))
            self._watcher.say(f"{self._feed.exchange} closed {self.name} ({self.host}): {code} {reason}".rstrip())
        self._closed.set()

    @property
    def is_settled(self) -> bool:
        """Whether every stream has brought a frame or was given up waiting for."""
        return self.stage is Stage.LIVE

    @property
    def proven(self) -> list[str]:
        """Names of the streams that have brought a frame and are not silent."""
        return [name for name, state in self.streams.items() if state.seen and not state.is_silent]

    @property
    def unproven(self) -> list[str]:
        """Names of the streams that were named as silent."""
        return [name for name, state in self.streams.items() if state.is_silent]

    async def run(self, careful: Sequence[str] = ()) -> None:
        """Keep the connection until it ends.

        Args:
            careful: Instruments of which one may make the venue cut the connection: their streams are asked for last,
                those of a half of them first.

        Raises:
            DialError: It could not be opened.
        """
        self._socket = await dial(self.url, self)
        now = time.monotonic()
        self.opened = self._sent = self._heard = self._data_changed = now
        if self.stage is not Stage.CLOSED:
            self.stage = Stage.OPEN
        self._recorder.connections[self._id] = self._tell
        self._recorder.word(time.time_ns(), self._id, "open", self._opening())
        self._recorder.asked_for(self.streams)
        try:
            await self._subscribe_all(careful)
            while not self._closed.is_set():
                await self._sleep(TICK_S)
                if not self._closed.is_set():
                    await self._look(time.monotonic())
        finally:
            await self.close("capture ends")

    async def close(self, reason: str, code: int = 1000) -> None:
        """End it."""
        if self._socket is None or self.stage is Stage.CLOSED:
            return
        if self._goodbye is None:
            self._goodbye = (code, reason)
        self.stage = Stage.DRAINING
        await self._socket.close(code, "")
        self.on_closed(code, reason, "us")

    async def add(self, streams: Sequence[Subscription]) -> None:
        """Ask for further streams."""
        new = [each for each in streams if each.name not in self.streams]
        for each in new:
            self.streams[each.name] = StreamState(each, self._watcher.watch(each))
        self._recorder.asked_for(each.name for each in new)
        await self._subscribe(new)

    async def _subscribe_all(self, careful: Sequence[str]) -> None:
        self.stage = Stage.SUBSCRIBING
        streams = [state.subscription for state in self.streams.values()]
        await self._subscribe([each for each in streams if each.native not in careful])
        if careful:
            await self._sleep(_ACK_S)
            half = max(1, len(careful) // 2)
            for natives in (careful[:half], careful[half:]):
                if not self._closed.is_set():
                    self._last_asked = []
                    await self._subscribe([each for each in streams if each.native in natives])
                    await self._sleep(_ACK_S)
        if self.stage is Stage.SUBSCRIBING:
            self.stage = Stage.PROVING

    async def _subscribe(self, streams: Sequence[Subscription]) -> None:
        size = self._feed.limits.names_per_message
        for begin in range(0, len(streams), size):
            chunk = streams[begin : begin + size]
            for message in self._feed.subscribe(chunk, self._request):
                if self._closed.is_set():
                    break
                self._requests[self._request] = tuple(each.name for each in chunk)
                self._request += 1
                self._send(message)
            now = time.monotonic()
            for each in chunk:
                self.streams[each.name].asked = now
            if self._closed.is_set():
                break
            self._last_asked += chunk
            self._asked_at = now
            await self._sleep(1 / self._feed.limits.messages_per_s)

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than the connection lives."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return

    def _send(self, message: bytes) -> None:
        if self._socket is None:
            return
        self._socket.send(message)
        self._sent = time.monotonic()
        self._recorder.word(time.time_ns(), self._id, "sent", message)

    def _other(self, told: Frame, local: int) -> None:
        if told.kind is FrameKind.ACKNOWLEDGED:
            for name in told.names or self._requests.get(told.request or 0, ()):
                if (state := self.streams.get(name)) is not None:
                    state.acknowledged = local
        elif told.kind is FrameKind.REFUSED:
            names = told.names or self._requests.get(told.request or 0, ())
            what = ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")
            self._say_once(f"{self._feed.exchange} refused {what or 'something'}: {told.code} {told.message}".rstrip())
        elif told.kind is FrameKind.CLOSING:
            self._say_once(f"{self._feed.exchange} will close {self.name} soon: {told.code} {told.message}".rstrip())
            self._watcher.will_close(self)

    def _say_once(self, words: str) -> None:
        if words not in self._said and len(self._said) < 100:  # noqa: PLR2004 - a flood of refusals is said once
            self._said.add(words)
            self._watcher.say(words)

    async def _look(self, now: float) -> None:
        """Do what is due: heartbeats, proofs, signs of staleness."""
        if self._any != self._any_before:
            self._any_before, self._heard = self._any, now
        self._beat(now)
        if self.data != self._data_before:
            self._data_before, self._data_changed = self.data, now
        survey = look_at(self.streams, now)
        if survey.live:
            told = {"streams": list(survey.live), "acknowledged": list(survey.live.values())}
            self._recorder.word(time.time_ns(), self._id, "live", told)
        if now - self._heard > _DEAD_S:
            await self._stale("nothing at all was heard", now - self._heard)
        elif survey.pulsing and survey.stale == survey.pulsing:
            await self._stale("no stream that has a pulse brought anything", now - self._data_changed)
        elif self.data and now - self._data_changed > max(_QUIET_S, survey.slowest_pulse_s):
            await self._stale("no data came", now - self._data_changed)
        elif survey.silent:
            await self._silent(survey.silent)
        if self.stage is Stage.PROVING and survey.is_settled:
            self.stage = Stage.LIVE

    def _beat(self, now: float) -> None:
        """Send a heartbeat where the venue wants one, and where nothing was heard: a living venue answers it."""
        beat = self._feed.heartbeat
        is_quiet = now - max(self._heard, self._probed) > _PROBE_S
        if self._socket is None or (now - self._sent < beat.after_s and not is_quiet):
            return
        if beat.text is None:
            self._socket.ping()
        else:
            self._socket.send(beat.text)
        self._sent = self._probed = now

    async def _stale(self, what: str, seconds: float) -> None:
        self._watcher.say(
            f"{self._feed.exchange} {self.name} ({self.host}): {what} for {seconds:.0f} s; connecting anew"
        )
        await self.close("stale")

    async def _silent(self, silent: list[StreamState]) -> None:
        """Name streams as silent; ask for each once more, and say where none of a channel brings anything."""
        names = [state.subscription.name for state in silent]
        self._recorder.word(time.time_ns(), self._id, "silent", {"streams": names})
        for channel in {state.subscription.channel for state in silent}:
            own = [state for state in self.streams.values() if state.subscription.channel is channel]
            if all(state.is_silent and not state.seen for state in own):
                acknowledged = sum(state.acknowledged > 0 for state in own)
                self._watcher.say(
                    f"{self._feed.exchange} acknowledged {acknowledged} of {len(own)} {channel.name} streams on "
                    f"{self.host} and sent nothing of them within {channel.first_s:.0f} s "
                    f"(for example {own[0].subscription.name})"
                )
                self._watcher.silent_channel(self, channel, [state.subscription for state in own])
        again = [state for state in silent if not state.asked_again and self._is_suspicious(state)]
        for state in again:
            state.asked_again = True
        if again and len(again) < len(self.streams):
            streams = [state.subscription for state in again]
            for message in self._feed.unsubscribe(streams, self._request):
                self._request += 1
                self._send(message)
                await self._sleep(1 / self._feed.limits.messages_per_s)
            await self._subscribe(streams)

    def _is_suspicious(self, state: StreamState) -> bool:
        """Whether silence is no sign of a calm market: the stream has a pulse, or none of its channel brings anything."""
        channel = state.subscription.channel
        others = (each for each in self.streams.values() if each.subscription.channel is channel)
        return channel.pulse_s is not None or not any(each.seen for each in others)

    def _opening(self) -> dict[str, object]:
        socket = self._socket
        return {
            "url": self.url,
            "local": "" if socket is None else socket.local,
            "remote": "" if socket is None else socket.remote,
            "class": self.host,
            "streams": list(self.streams),
        }

    def _tell(self) -> Iterator[bytes]:
        """Yield what a new recording says of this connection, which goes on in it."""
        yield b"!open " + msgspec.json.encode({**self._opening(), "continued": True})
        if proven := self.proven:
            yield b"!live " + msgspec.json.encode({"streams": proven})
        if unproven := self.unproven:
            yield b"!silent " + msgspec.json.encode({"streams": unproven})
