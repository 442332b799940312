"""The live side of a venue: hosts, channels, limits, and what its frames say, as data and pure functions.

Nothing here opens a connection. `capture` is the client of it, `mock` the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from aperiodic.market import Exchange, Stream

__all__ = [
    "BookChain",
    "ChainState",
    "Channel",
    "Endpoint",
    "Feed",
    "Frame",
    "FrameKind",
    "Heartbeat",
    "Limits",
    "Request",
    "Subscription",
]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of the venue; the one that is valid today is used, unless a setting names another.

    Attributes:
        host: Class of host: `rest`, or what channels name (`public`, `market`, `business`, `ws`).
        url: Address, without a query.
        since: First day on which it is valid; None: always was.
        until: Last day on which it is valid; None: still is.
    """

    host: str
    url: str
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """Something that can be subscribed to.

    Attributes:
        name: What it is called on the command line: `trades`, `quotes`, `book`, `mark_price`, …
        template: The venue's name of the stream; `{native}` stands for the venue's name of the instrument.
        host: Class of host that sends it; `rest` for what is asked for again and again (`Feed.polls`).
        streams: Tick streams that its frames become; empty for those that only control others.
        first_s: Within this time after subscribing the first frame of a lively instrument comes, seconds; None where
            it may never come.
        pulse_s: Within this time each next one comes, seconds; None where silence says nothing.
        per_instrument: Whether it is subscribed for each instrument; if not, once for all.
        default: Whether it is captured unless something else is asked for.
        instead: Templates to try in turn when this one is acknowledged and silent.
        other_hosts: Classes of host to try when this one is acknowledged and silent.
        group: Channels of different groups never share a connection.
        most: Most streams of this channel that a connection is planned with; None: no fewer than of any.
        fields: Names of the fields that are known of its data, those of an object in it as `ctx.funding`; empty where
            nobody wants to know of others.
    """

    name: str
    template: str
    host: str
    streams: tuple[Stream, ...] = ()
    first_s: float | None = 10.0
    pulse_s: float | None = None
    per_instrument: bool = True
    default: bool = True
    instead: tuple[str, ...] = ()
    other_hosts: tuple[str, ...] = ()
    group: str = ""
    most: int | None = None
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subscription:
    """One stream of one connection.

    Attributes:
        channel: What it is.
        native: The venue's name of the instrument; empty for all of them.
        name: The stream as `Frame.name` tells it; unique on a connection.
    """

    channel: Channel
    native: str
    name: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the venue allows, and what is planned with; everything per IP address unless stated otherwise.

    Attributes:
        streams: Most streams of a connection.
        planned_streams: Most streams that a connection is planned with.
        names_per_message: Most streams in one subscribing message.
        messages_per_s: Messages to the venue a second on one connection.
        connections: Most connections at the same time; None: not limited.
        dials: Most new connections within `dials_s`.
        dials_s: The time of `dials`, seconds.
        life_s: After this time the venue closes a connection, seconds; None: it does not.
        weight: REST weight that may be used in `weight_s`.
        weight_s: The time of `weight`, seconds; windows begin at whole multiples of it since the epoch.
    """

    streams: int
    planned_streams: int
    names_per_message: int
    messages_per_s: float
    connections: int | None
    dials: int
    dials_s: float
    life_s: float | None
    weight: int
    weight_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a quiet connection is kept open.

    Attributes:
        after_s: Send one when nothing was sent for this long, seconds.
        text: What is sent; None for a WebSocket ping.
        answer: Text of the answer; None for a WebSocket pong, or where the answer is a frame.
        idle_s: The venue closes a connection after this long without a message; None: it does not.
    """

    after_s: float
    text: bytes | None = None
    answer: bytes | None = None
    idle_s: float | None = None


class FrameKind(Enum):
    """What a frame is to the one who keeps the connection."""

    DATA = auto()  # of the stream `name`
    ACKNOWLEDGED = auto()  # the subscriptions `names` were taken; it proves nothing
    REFUSED = auto()  # the venue refuses something, `code` and `message` say what
    HEARTBEAT = auto()  # keeps alive, counts as no data
    CLOSING = auto()  # the venue will close soon: open a successor at once
    OTHER = auto()  # known and without consequence


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame is.

    Attributes:
        kind: See there.
        name: Stream of a data frame, as in `Subscription.name`; empty for others.
        native: The venue's name of the instrument, where the frame is of one.
        names: Streams that an acknowledgement or refusal is about, where it says so.
        request: Number of the message that it answers, where it says so.
        code: The venue's code of a refusal or notice.
        message: The venue's words.
    """

    kind: FrameKind
    name: str = ""
    native: str = ""
    names: tuple[str, ...] = ()
    request: int | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A REST request.

    Attributes:
        path: Path and query behind the `rest` endpoint.
        weight: What it costs of `Limits.weight`.
        body: JSON to post; None for GET.
        headers: Further headers.
        native: The venue's name of the instrument it is about; empty for all.
        kind: `snapshot`, `instruments`, `time`, `open_interest`, …
        every_s: For polls: the time between two, seconds.
    """

    path: str
    weight: int
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    native: str = ""
    kind: str = ""
    every_s: float | None = None


class ChainState(Enum):
    """What is known of a book after an event."""

    WAITING = auto()  # no event yet, or the chain waits for the next event
    WANTS_SNAPSHOT = auto()  # a REST snapshot must be fetched
    KNOWN = auto()  # the chain is unbroken since a snapshot
    BROKEN = auto()  # events are missing: a new snapshot must be fetched


class BookChain(Protocol):
    """Watches the numbers of one instrument's book, without keeping the book.

    Attributes:
        state: What is known now.
    """

    state: ChainState

    def see(self, frame: bytes, local: int) -> ChainState:
        """Take the next frame of the book's channel, which arrived at `local` (ns)."""

    def snapshot(self, body: bytes, local: int) -> ChainState:
        """Take the answer to the request for a snapshot; `WANTS_SNAPSHOT` when it is too old."""


class Feed(Protocol):
    """The live side of one venue.

    Attributes:
        exchange: Its name in the REST API.
        endpoints: Its hosts; several of a class are alternatives in this order.
        channels: What can be subscribed to.
        limits: What it allows.
        heartbeat: How quiet connections are kept open.
        majors: The venue's names of the instruments that are captured when none are named.
        geo_hint: What to do where the venue refuses the country (HTTP 451), in words.
    """

    exchange: Exchange
    endpoints: tuple[Endpoint, ...]
    channels: tuple[Channel, ...]
    limits: Limits
    heartbeat: Heartbeat
    majors: tuple[str, ...]
    geo_hint: str

    def path(self, channels: Sequence[Channel]) -> str:
        """Return what follows the endpoint's address in the URL of a connection for these channels."""

    def subscription(self, channel: Channel, native: str, template: str = "") -> Subscription:
        """Return the stream of a channel for one instrument, by another of its templates if one is given."""

    def subscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return the messages that subscribe to streams, numbered from `request` on."""

    def unsubscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return the messages that end subscriptions."""

    def read(self, frame: bytes) -> Frame:
        """Tell what a frame is, without decoding its values. Never raises: what it cannot read is `OTHER` with a code."""

    def chain(self, native: str) -> BookChain | None:
        """Begin to watch the numbers of a book; None where the venue does not number its books."""

    def snapshot(self, native: str) -> Request | None:
        """Return the request for a whole book; None where books need none."""

    def instruments(self) -> Request:
        """Return the request that lists all instruments."""

    def time(self) -> Request:
        """Return the request that tells the venue's time."""

    def read_time(self, body: bytes) -> int | None:
        """Return the venue's time, ms, of an answer to `time`; None when it tells none."""

    def polls(self, natives: Sequence[str]) -> list[Request]:
        """Return what has no stream and must be asked for again and again."""

    def used_weight(self, headers: Mapping[str, str]) -> int | None:
        """Return the weight used in the present window, as an answer's headers (lower case) tell it; None if not."""
