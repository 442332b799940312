"""Which tick series the streams of a connection are, by the names that a recorder gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.market import InvalidInputError
from aperiodic.venues import feed_of, venue_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.market import Exchange, Stream, Symbol
    from aperiodic.venues.feed import Channel, Feed

__all__ = ["StreamNames", "ToldStream"]

_INDEX: Final = "XNATIVEX"
_NATIVE: Final = _INDEX + "-SWAP"
_MOST: Final = 20_000


class ToldStream(NamedTuple):
    """What a stream of a connection becomes.

    Attributes:
        symbol: Atlas symbol; None where one stream tells of all instruments.
        streams: Tick streams; empty where none is made of it.
        pulse_us: Within this time each next frame comes, µs; None where silence says nothing.
    """

    symbol: Symbol | None
    streams: tuple[Stream, ...]
    pulse_us: int | None


class StreamNames:
    """Reads the names of streams of one venue, as its feed writes them."""

    def __init__(self, exchange: Exchange) -> None:
        self._venue = venue_of(exchange)
        self._forms: list[tuple[re.Pattern[str], bool, Channel]] = []
        try:
            self._forms = list(_forms(feed_of(exchange)))
        except InvalidInputError as error:
            if error.code != "not_live":
                raise
        self._known: dict[str, ToldStream | None] = {}

    def read(self, name: str) -> ToldStream | None:
        """Return what a stream becomes, None where this version does not know it."""
        if name not in self._known:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> ToldStream | None:
        for form, lowered, channel in self._forms:
            match = form.fullmatch(name)
            if match is None:
                continue
            pulse = None if channel.pulse_s is None else round(channel.pulse_s * 1_000_000)
            if not channel.per_instrument:
                return ToldStream(None, channel.streams, pulse)
            told = match.groupdict()
            native = told["native"] if "native" in told else f"{told['index']}-SWAP"
            try:
                return ToldStream(self._venue.symbol(native.upper() if lowered else native), channel.streams, pulse)
            except InvalidInputError:
                return None
        return None


def _forms(feed: Feed) -> Iterator[tuple[re.Pattern[str], bool, Channel]]:
    """Yield the form of every stream's name, whether instruments are written in small letters in it, and its channel."""
    for channel in feed.channels:
        for template in (channel.template, *channel.instead):
            if not template:
                continue
            name = feed.subscription(channel, _NATIVE, template).name
            lowered = _NATIVE not in name and _NATIVE.lower() in name
            form = re.escape(name)
            for marked, group in ((_NATIVE, "native"), (_INDEX, "index")):
                written = re.escape(marked.lower() if lowered else marked)
                form = form.replace(written, f"(?P<{group}>.+)", 1)
            yield re.compile(form), lowered, channel
