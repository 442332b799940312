"""Settings of `aperiodic capture`, and the addresses that are dialled."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import Field

from aperiodic.lake.settings import Settings
from aperiodic.market import InvalidInputError
from aperiodic.market.errors import nearest
from aperiodic.venues import all_venues

if TYPE_CHECKING:
    from aperiodic.venues.feed import Feed

__all__ = ["CaptureSettings", "addresses", "check_addresses", "setting_of"]

_REST_SCHEMES: Final = ("https", "http")
_SOCKET_SCHEMES: Final = ("wss", "ws")
_PREFIXES: Final = ("APERIODIC_REST_", "APERIODIC_WS_")


class CaptureSettings(Settings):
    """How exchanges are captured; each setting is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        capture_segment_bytes: A recording is sealed when it is so large, bytes; and at every hour of UTC.
        capture_queue_bytes: So much may wait for the disk; what comes while it is full is dropped and noted, bytes.
        capture_disk_floor_bytes: Capturing stops when less than this is free, bytes.
        capture_hand_over_s: A connection is replaced after this time, seconds; venues close them after a day.
        capture_overlap_s: Two connections record the same for at least this long while one replaces the other, seconds.
        capture_most_wait_s: Longest wait between two attempts to connect, seconds.
        capture_weight_share: Share of a venue's REST weight that may be used.
    """

    capture_segment_bytes: int = Field(default=256 << 20, ge=1 << 16)
    capture_queue_bytes: int = Field(default=64 << 20, ge=1 << 18)
    capture_disk_floor_bytes: int = Field(default=2 << 30, ge=0)
    capture_hand_over_s: float = Field(default=82_800.0, gt=0)
    capture_overlap_s: float = Field(default=5.0, ge=0)
    capture_most_wait_s: float = Field(default=32.0, gt=0)
    capture_weight_share: float = Field(default=0.8, gt=0, le=0.8)


def setting_of(feed: Feed, host: str) -> str:
    """Return the name of the setting that names another address for a class of host."""
    name = feed.exchange.upper().replace("-", "_")
    return f"APERIODIC_REST_{name}" if host == "rest" else f"APERIODIC_WS_{name}_{host.upper()}"


def addresses(feed: Feed, host: str) -> list[str]:
    """Return the addresses of a class of host that are valid today, to be tried in this order."""
    named = os.environ.get(setting_of(feed, host), "").strip().rstrip("/")
    if named:
        return [named]
    today = datetime.now(UTC).date()
    return [
        endpoint.url
        for endpoint in feed.endpoints
        if endpoint.host == host
        and (endpoint.since is None or endpoint.since <= today)
        and (endpoint.until is None or today <= endpoint.until)
    ]


def check_addresses(feed: Feed) -> None:
    """Make sure that the settings that name other addresses are understood, so that no slip leads elsewhere unnoticed.

    Raises:
        InvalidInputError: `bad_setting`, naming the variable: one of this venue is no address, or it belongs to no venue.
    """
    feeds = [venue.feed for venue in all_venues() if venue.feed is not None]
    known = {setting_of(each, endpoint.host): (each, endpoint.host) for each in feeds for endpoint in each.endpoints}
    for name, address in os.environ.items():
        if name in known:
            of, host = known[name]
            if of.exchange == feed.exchange and address.strip():
                _check_address(name, address.strip(), _REST_SCHEMES if host == "rest" else _SOCKET_SCHEMES)
        elif name.startswith(_PREFIXES):
            guess = nearest(name, known)
            raise InvalidInputError(
                f"The setting {name} is not known: it would change nothing.",
                code="bad_setting",
                hint=f"{f'Did you mean {guess}? ' if guess else ''}Correct or unset this environment variable.",
            )


def _check_address(name: str, address: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise InvalidInputError(
            f"The setting {name} is no address: {address[:100]!r}.",
            code="bad_setting",
            hint=f"It begins with {schemes[0]}:// and names a host, and where needed a port and a path.",
        )
