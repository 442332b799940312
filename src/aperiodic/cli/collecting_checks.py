"""What `aperiodic doctor` looks at for those who collect: hosts of exchanges, captures, and what becomes of recordings."""

from __future__ import annotations

import json
import socket
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aperiodic.capture.clock import FAR_US
from aperiodic.capture.settings import addresses
from aperiodic.cli.findings import Finding, cut_words, strange_words
from aperiodic.engine.days_told import read_told as read_days_told
from aperiodic.engine.uploading import Told, read_told
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.ledger import is_unused, open_ledger
from aperiodic.lake.recordings import claim, host_name, is_cut, list_recordings, list_strange
from aperiodic.market import Exchange
from aperiodic.venues import all_venues

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from aperiodic.lake import Settings
    from aperiodic.lake.recordings import Recording
    from aperiodic.venues.feed import Feed

__all__ = ["captures", "hosts", "open_days", "recordings", "uploads"]

_CONNECT_S: Final = 3.0
_AT_ONCE: Final = 16
_PORTS: Final = {"wss": 443, "https": 443, "ws": 80, "http": 80}
_FRESH_S: Final = 60.0
_BEHIND_S: Final = 900.0
_WAITED_S: Final = 3 * 3_600.0
"""A recording may last an hour before it is sealed; one that was begun so long ago should be in the store."""
_BUSY_S: Final = 5.0
_NAMELESS: Final = "its name is not found"
_LOOK_UP: Final = "See whether this machine is connected to the internet and can look up names (DNS)."


def hosts(_settings: Settings) -> Iterator[Finding]:
    """Look up the hosts of every exchange that can be captured, and connect to them."""
    feeds = [venue.feed for venue in all_venues() if venue.feed is not None]
    wanted = {feed.exchange: sorted(set(_places(feed))) for feed in feeds}
    every = sorted({place for places in wanted.values() for place in places})
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        reached = dict(zip(every, threads.map(_reach, every), strict=True))
    for feed in feeds:
        places = wanted[feed.exchange]
        faults = [f"{host}: {reached[host, port]}" for host, port in places if reached[host, port]]
        if faults:
            nameless = all(_NAMELESS in fault for fault in faults)
            advice = _LOOK_UP if nameless else feed.geo_hint
            hint = f"Nothing, or not all, can be collected from it; all else works. {advice}".strip()
            yield Finding(f"hosts of {feed.exchange}", "warning", "; ".join(faults), hint)
        else:
            yield Finding(f"hosts of {feed.exchange}", "ok", f"{len(places)} can be reached")


def captures(settings: Settings) -> Iterator[Finding]:
    """Read what captures tell of themselves."""
    for path in sorted((settings.home / "capture").glob("*.json")):
        try:
            told = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(told, dict) and "connections" in told and "time" in told:
            yield _capture(path.stem, told)


def recordings(settings: Settings) -> Iterator[Finding]:
    """Look whether recordings are sealed, and whether they become ticks."""
    yield from _foreign(settings)
    if strange := list_strange(settings.home):
        hint = "Give a recording its name back (host-shard-nanoseconds.zst, as in its sidecar's name), or move it elsewhere."
        yield Finding("names of recordings", "warning", strange_words(strange), hint)
    found = list_recordings(settings.home)
    if not found:
        return
    if cut := [recording for recording in found if is_cut(recording)]:
        hint = (
            f"Bring them back: aperiodic recordings fetch --exchange {cut[0].exchange}, where the store has them, or from a copy. "
            "What is not ticks yet of them, and comes after them, waits until then. See: aperiodic recordings list"
        )
        yield Finding("cut recordings", "problem", cut_words(cut), hint)
    left = [recording for recording in found if recording.is_open and _is_left(recording)]
    size = sum(recording.path.stat().st_size for recording in found if recording.path.exists())
    held = f"{len(found):,} recordings, {size / (1 << 30):,.1f} GiB"
    if left:
        hint = "The next capture of the venue seals them: aperiodic capture, or aperiodic up"
        yield Finding("recordings", "warning", f"{held}; {len(left)} that nobody writes are not sealed", hint)
    else:
        yield Finding("recordings", "ok", held)
    yield from _ticks(settings, found)


def open_days(settings: Settings) -> Iterator[Finding]:
    """Look whether bars of days that are not over can be made, as those that make them tell."""
    for told in read_days_told(settings.home):
        check = f"open days ({told.program})"
        if told.unreadable:
            first = told.unreadable[0]
            detail = f"{told.count:,} instruments have no bars, for example {first.symbol} of {first.exchange}: {first.message}"
            yield Finding(check, "problem", detail, first.hint or "See: aperiodic status")
        else:
            yield Finding(check, "ok", "all ticks can be read")


def uploads(settings: Settings) -> Iterator[Finding]:
    """Look whether sealed recordings come into the store, where they are to be kept there."""
    if not settings.recordings_in_store:
        return
    told = {each.exchange: each for each in read_told(settings.home)}
    sealed: defaultdict[str, list[Recording]] = defaultdict(list)
    for recording in list_recordings(settings.home):
        if not recording.is_open:
            sealed[recording.exchange].append(recording)
    for exchange, recordings in sorted(sealed.items()):
        yield _uploaded(f"recordings of {exchange} in the store", recordings, told.get(exchange))


def _uploaded(check: str, sealed: list[Recording], told: Told | None) -> Finding:
    if told is None or time.time() - told.time > _BEHIND_S:
        since = 0.0 if told is None else told.time
        waiting = (0 if told is None else told.waiting) + sum(
            recording.sidecar_path.stat().st_mtime > since for recording in sealed if recording.sidecar_path.exists()
        )
        if not waiting:
            return Finding(check, "ok", "none waits")
        hint = "Run: aperiodic normalise --follow, or aperiodic up. What lies on this disk alone is lost with it."
        return Finding(check, "warning", f"{waiting:,} wait, and nothing puts them there", hint)
    words = f"{told.waiting:,} wait, {told.waiting_bytes / (1 << 30):,.1f} GiB"
    if told.failing and told.last_failure is not None:
        return Finding(
            check, "problem", f"{words}; {told.failing:,} failed: {told.last_failure.message}", told.last_failure.hint
        )
    if told.oldest is not None and time.time() - told.oldest > _WAITED_S:
        return Finding(check, "warning", words, "They are recorded faster than the store takes them, or it was away.")
    return Finding(check, "ok", words if told.waiting else "none waits")


def _foreign(settings: Settings) -> Iterator[Finding]:
    folder = settings.home / "recordings"
    known = {str(exchange) for exchange in Exchange}
    strange = sorted(each.name for each in folder.iterdir() if each.name not in known) if folder.is_dir() else []
    if strange:
        detail = f"{folder / strange[0]} is named after no exchange that is known here, and is passed over"
        yield Finding("folders of recordings", "warning", detail, "Move it elsewhere, or install what knows its venue.")


def _places(feed: Feed) -> Iterator[tuple[str, int]]:
    for host in {endpoint.host for endpoint in feed.endpoints}:
        for address in addresses(feed, host)[:1]:
            parts = urlsplit(address)
            if parts.hostname:
                yield parts.hostname, parts.port or _PORTS.get(parts.scheme, 443)


def _reach(place: tuple[str, int]) -> str:
    """Return why a host cannot be reached; empty if it can."""
    try:
        with closing(socket.create_connection(place, timeout=_CONNECT_S)):
            return ""
    except socket.gaierror as error:
        return f"{_NAMELESS} ({error.strerror})"
    except TimeoutError:
        return f"no answer within {_CONNECT_S:.0f} s"
    except OSError as error:
        return error.strerror or type(error).__name__


def _capture(name: str, told: Mapping[str, Any]) -> Finding:
    check = f"capture {name}"
    age = time.time() - told["time"]
    if age > _FRESH_S:
        return Finding(
            check,
            "warning",
            f"told nothing for {age / 60:,.0f} minutes",
            "If it is to run, start it: aperiodic up",
        )
    if told.get("disk_full"):
        detail = "the disk is full: nothing is recorded"
        return Finding(check, "problem", detail, "Free some space: it goes on by itself when there is room.")
    silent = [stream for each in told["connections"] for stream in each["silent"]]
    if silent:
        detail = f"{len(silent)} streams were acknowledged and bring nothing, for example {silent[0]}"
        return Finding(check, "warning", detail, f"Try: aperiodic capture --exchange {told['exchange']} --check")
    if told.get("dropped_frames"):
        detail = f"{told['dropped_frames']:,} frames were dropped because the disk was too slow"
        return Finding(check, "warning", detail, "Use a faster disk, or record fewer instruments.")
    offset = told.get("clock_offset_us")
    if offset is not None and abs(offset) > FAR_US:
        detail = f"the venue's clock and this one are {abs(offset) / 1e6:,.1f} s apart"
        return Finding(check, "warning", detail, "Set the clock (NTP).")
    return Finding(check, "ok", f"{told['frames']:,} frames")


def _is_left(recording: Recording) -> bool:
    """Whether an open recording of this machine has no writer."""
    if recording.host != host_name():
        return False
    try:
        with recording.path.open("rb") as file, claim(file) as is_mine:
            return is_mine
    except OSError:
        return False


def _ticks(settings: Settings, found: list[Recording]) -> Iterator[Finding]:
    if is_unused(settings.ledger_url):
        return
    engine = open_ledger(settings.ledger_url, busy_s=_BUSY_S)
    try:
        with engine.connect() as connection:
            checkpoints = read_checkpoints(connection)
    finally:
        engine.dispose()
    written = {
        (recording.exchange, f"{recording.host}-{recording.shard}"): recording.path.stat().st_mtime
        for recording in found
        if recording.path.exists()
    }
    late = {
        f"{exchange} {shard}": moment
        - (checkpoints[exchange, shard].updated_at / 1e6 if (exchange, shard) in checkpoints else 0)
        for (exchange, shard), moment in written.items()
    }
    behind = {name: seconds for name, seconds in late.items() if seconds > _BEHIND_S}
    if behind:
        worst = max(behind, key=lambda name: behind[name])
        detail = f"what was recorded of {worst} has not become ticks yet"
        yield Finding("ticks of recordings", "warning", detail, "Run: aperiodic normalise")
    else:
        yield Finding("ticks of recordings", "ok", f"of {len(written)} captures")
