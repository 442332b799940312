"""Which venues there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from aperiodic.market import Exchange, InvalidInputError
from aperiodic.market.errors import unknown_value
from aperiodic.venues.binance import BINANCE, BINANCE_FUTURES
from aperiodic.venues.hyperliquid import HYPERLIQUID_PERPS
from aperiodic.venues.okx import OKX_PERPS

if TYPE_CHECKING:
    from collections.abc import Collection

    from aperiodic.market import Stream
    from aperiodic.venues.feed import Feed
    from aperiodic.venues.venue import Venue

__all__ = [
    "all_venues",
    "feed_of",
    "has_modelled_time",
    "register",
    "sender_of",
    "unregister",
    "venue_of",
    "venues_with",
]

_VENUES: dict[str, Venue] = {}
_OUTSIDE: Final = Decoder(dict[str, Raw])


def register(venue: Venue) -> None:
    """Add a venue: from now on its recordings can be imported, built, simulated and served.

    Raises:
        ValueError: Its name is taken, or could not be the name of an exchange.
    """
    if venue.exchange in _VENUES:
        msg = f"there is a venue {venue.exchange} already"
        raise ValueError(msg)
    _VENUES[Exchange.register(venue.exchange)] = venue


def unregister(exchange: Exchange) -> None:
    """Take a venue out again."""
    del _VENUES[exchange]
    Exchange.forget(exchange)


def venues_with(streams: Collection[Stream]) -> list[Exchange]:
    """Return the venues that have all of some streams, in the order they were registered."""
    return [venue.exchange for venue in _VENUES.values() if set(streams) <= set(venue.streams)]


def all_venues() -> tuple[Venue, ...]:
    """Every venue, in the order they were registered."""
    return tuple(_VENUES.values())


def venue_of(exchange: Exchange) -> Venue:
    """Return the venue of that name.

    Raises:
        InvalidInputError: `unknown_exchange`, naming the nearest valid one.
    """
    venue = _VENUES.get(exchange)
    if venue is None:
        raise unknown_value("exchange", exchange, _VENUES)
    return venue


def feed_of(exchange: Exchange) -> Feed:
    """Return the live side of the venue of that name.

    Raises:
        InvalidInputError: `unknown_exchange`, naming the nearest valid one, or `not_live` where it cannot be captured.
    """
    feed = venue_of(exchange).feed
    if feed is None:
        raise InvalidInputError(
            f"{exchange} cannot be captured, only imported.",
            code="not_live",
            hint="Venues that can be: " + ", ".join(name for name, venue in _VENUES.items() if venue.feed) + ".",
        )
    return feed


def sender_of(frame: bytes, asked: Venue) -> Venue | None:
    """Return the venue of which a frame has the form, None when that is `asked` itself or cannot be told."""
    try:
        names = _OUTSIDE.decode(frame).keys()
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if any(form <= names for form in asked.forms):
        return None
    return next((venue for venue in _VENUES.values() if any(form <= names for form in venue.forms)), None)


def has_modelled_time(exchange: Exchange, stream: Stream) -> bool:
    """Return whether a venue's stream carries no time of its own, so that the arrival time stands in for it."""
    venue = _VENUES.get(exchange)
    return venue is not None and stream in venue.modelled


for _venue in (BINANCE_FUTURES, OKX_PERPS, HYPERLIQUID_PERPS, BINANCE):
    register(_venue)
