"""Two who listen to live rows: the client of this project, and one that knows nothing but WebSocket."""

from __future__ import annotations

import json
import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

import aperiodic
from aperiodic.market import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tests.crash.live_installation import Installation

    from aperiodic.client.stream import Stream

Series = tuple[str, str]
"""Channel and symbol."""


@dataclass
class Told:
    """What came on one connection, or over all of them where they are bridged.

    Attributes:
        rows: By series, all rows in the order in which they came.
    """

    rows: dict[Series, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, channel: str, row: dict[str, Any]) -> None:
        """Note a row."""
        self.rows.setdefault((channel, row["symbol"]), []).append(row)


class Listener:
    """Listens in a thread of its own, and begins again when its connection is lost.

    Attributes:
        told: What came, for each stretch without a hole that it could see.
        failure: What ended it before its time.
        closes: Codes with which connections were closed.
    """

    def __init__(self, at: Installation, channels: Sequence[aperiodic.StreamChannel]) -> None:
        self.told: list[Told] = [Told()]
        self.failure: BaseException | None = None
        self.closes: list[int] = []
        self.at = at
        self.channels = channels
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def reached(self, series: Series) -> int:
        """Return until when bars of a series were told, µs; 0 for none."""
        rows = [row for told in list(self.told) for row in told.rows.get(series, ())[-1:]]
        return max((row["time"] + Interval(row["interval"]).microseconds for row in rows), default=0)

    def stop(self) -> None:
        """Let the thread end."""

    def listen(self) -> None:
        """Listen until `over`."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.listen()
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failure = error


class Ours(Listener):
    """Listens with `aperiodic.stream`, which asks for what it missed."""

    stream: Stream

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:
        """Outages that the server did not make up for."""
        return self.stream.gaps

    def listen(self) -> None:
        """Listen until `over`."""
        self.stream = aperiodic.stream(
            self.at.key, channels=self.channels, snapshot=False, stream_url=self.at.stream_url
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", aperiodic.StreamWarning)
            for message in self.stream:
                self.told[0].add(message.channel, message.data)

    def stop(self) -> None:
        """Close the stream."""
        self.stream.close()


class Plain(Listener):
    """Listens with `websockets`: between two connections it misses what it misses, and it knows that."""

    def listen(self) -> None:
        """Listen until `over`."""
        while not self.over.is_set():
            try:
                self._connection()
            except (OSError, InvalidHandshake, ConnectionClosed):  # it ended before it had begun
                time.sleep(0.2)

    def _connection(self) -> None:
        with connect(self.at.stream_url, additional_headers={"X-API-KEY": self.at.key}, max_queue=1024) as socket:
            socket.send(json.dumps({"op": "subscribe", "id": "p", "channels": self.channels}))
            told = Told()
            self.told.append(told)
            while not self.over.is_set():
                try:
                    message = json.loads(socket.recv(timeout=0.5))
                except TimeoutError:
                    continue
                except ConnectionClosed as closed:
                    self.closes.append(1006 if closed.rcvd is None else closed.rcvd.code)
                    return
                if "channel" in message:
                    told.add(message["channel"], message["data"] | {"snapshot": message.get("snapshot", False)})
