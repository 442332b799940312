"""Sealed recordings in the store: put there, looked for, and brought back.

A recording lies there below the same path as in an installation, and its sidecar, which is put after it, beside it: where
there is a sidecar, all of the recording is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.lake.layout import RECORDINGS
from aperiodic.lake.recordings import SIDECAR, claim, decode_sidecar, place, read_sidecar, recording_at
from aperiodic.lake.store_errors import differs
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from pathlib import Path
    from typing import BinaryIO

    from aperiodic.lake.recordings import Recording, Sidecar
    from aperiodic.lake.store import Store

__all__ = ["Held", "fetch", "list_stored", "list_stored_sizes", "put", "stored_since"]

_CHUNK: Final = 1 << 20
_ASKED_AT_ONCE: Final = 16
_DAYS_ASKED: Final = 62
"""Up to so many days are listed one by one, else everything."""


class Held(NamedTuple):
    """A recording that the store holds whole.

    Attributes:
        recording: As it lies, or would lie, in the installation.
        sidecar: What it holds.
    """

    recording: Recording
    sidecar: Sidecar


async def put(store: Store, recording: Recording) -> bool:
    """Put a sealed recording into the store, then its sidecar; return whether it was not there.

    It may be killed or cancelled at any moment, and the next call goes on. At most some MiB are in memory.

    Raises:
        LakeError: `recording_unexplained` without a sidecar that can be read, `recording_damaged` when the file is not
            what the sidecar says; `object_differs` when the store holds another recording of that name;
            `store_write_failed` or `store_unavailable`.
        OSError: The recording cannot be read.
    """
    sidecar, digest_of_sidecar = _read_sidecar(recording)
    if await stored_since(store, recording, sidecar) is not None:
        return False
    size, digest = await _measure(recording.path)
    if (size, digest) != (sidecar.size, sidecar.sha256):
        raise LakeError(
            f"The recording {recording.key} is damaged: its content is not what was sealed.",
            code="recording_damaged",
            hint="It stays where it is and is not put into the store. Check the disk. Where it has its whole size, what can be "
            "read of it becomes ticks all the same.",
            path=recording.key,
        )
    await store.added.add(recording.key, recording.path, sha256=digest)
    await store.added.add(recording.key + SIDECAR, recording.sidecar_path, sha256=digest_of_sidecar)
    return True


async def stored_since(store: Store, recording: Recording, sidecar: Sidecar) -> int | None:
    """Return when the sidecar of a recording was put into the store, µs; None where it, or the recording, is not there.

    Raises:
        LakeError: `object_differs` when the store holds another recording of that name, or `store_unavailable`.
    """
    key = recording.key
    data = await store.added.read(key + SIDECAR)
    if data is None:
        return None
    told = decode_sidecar(data)
    found = await store.added.find(key)
    same = told is not None and (told.sha256, told.size) == (sidecar.sha256, sidecar.size)
    if not same or (found is not None and found.size != sidecar.size):
        raise differs(key, "recording")
    since = await store.added.find(key + SIDECAR)
    return since.modified if found is not None and since is not None else None


def list_stored(
    store: Store, home: Path, exchange: Exchange | None = None, *, start_ns: int = 0, end_ns: int | None = None
) -> list[Held]:
    """Return the recordings that the store holds whole, in the order in which they were begun.

    Args:
        store: The store.
        home: Folder of the installation.
        exchange: Only of this venue.
        start_ns: Only those with something received from this time on.
        end_ns: Only those with something received before this time.

    Raises:
        LakeError: `store_unavailable`.
    """
    found = list_stored_sizes(store, home, exchange, start_ns=start_ns, end_ns=end_ns)
    return [held for held, size in found if held.sidecar.size == size]


def list_stored_sizes(
    store: Store, home: Path, exchange: Exchange | None = None, *, start_ns: int = 0, end_ns: int | None = None
) -> list[tuple[Held, int]]:
    """Return what `list_stored` does and what was cut since, each with the bytes that the store has of it."""
    sizes: dict[str, int] = {}
    for prefix in _prefixes(exchange, start_ns, end_ns):
        for batch in store.sizes(prefix):
            sizes |= batch
    whole = [
        recording
        for key in sizes
        if key + SIDECAR in sizes
        and (recording := recording_at(home, key)) is not None
        and (end_ns is None or recording.start_ns < end_ns)
    ]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
        told = threads.map(lambda each: decode_sidecar(store.read(each.key + SIDECAR)), whole)
        held = [
            (Held(recording, sidecar), sizes[recording.key])
            for recording, sidecar in zip(whole, told, strict=True)
            if sidecar is not None and max(sidecar.last_ns, recording.start_ns) >= start_ns
        ]
    return sorted(held, key=lambda each: each[0].recording)


async def fetch(
    store: Store, recording: Recording, sidecar: Sidecar, progress: Callable[[int], object] = lambda _done: None
) -> bool:
    """Bring a recording from the store to where it lies in an installation; return whether it was not there.

    What was cut on the way is gone on with, and what lies there and is the beginning of it is replaced. The recording has its
    name only once it is whole, compared with its digest and on the disk.

    Args:
        store: The store.
        recording: As `list_stored` gives it.
        sidecar: What it holds.
        progress: Called with the bytes that are there.

    Raises:
        LakeError: `recording_differs` when another recording of that name lies there; `busy` when another program fetches
            it; `recording_damaged` when what the store gives is not what was sealed; `recording_missing` or
            `store_unavailable`.
        OSError: The disk refused.
    """
    if recording.path.exists():
        size, is_known = recording.path.stat().st_size, read_sidecar(recording) == sidecar
        if is_known and size == sidecar.size:
            return False
        if not is_known or size > sidecar.size:
            raise _another(recording)
    told = await store.added.read(recording.key + SIDECAR)
    if told is None:
        raise _missing(recording)
    recording.path.parent.mkdir(parents=True, exist_ok=True)
    partial = recording.fetched_path
    with partial.open("a+b") as file, claim(file) as is_mine:
        if not is_mine or not partial.exists():
            raise LakeError(
                f"Another program fetches {recording.key}.",
                code="busy",
                hint="Wait until it has ended, and fetch again.",
            )
        if await _complete(store, recording, sidecar, file, progress) != sidecar.sha256:
            partial.unlink()
            raise LakeError(
                f"The recording {recording.key} in the store is damaged: its content is not what was sealed.",
                code="recording_damaged",
                hint="Nothing was changed. Put it back from a copy of the store.",
                path=recording.key,
            )
        if not _begins_with(file, recording):
            partial.unlink()
            raise _another(recording)
        os.fsync(file.fileno())
        ended = max(sidecar.last_ns, recording.start_ns)
        os.utime(partial, ns=(ended, ended))  # as when it was recorded
        place(recording, partial, told)
    return True


def _another(recording: Recording) -> LakeError:
    return LakeError(
        f"Another recording, or a damaged one, lies at {recording.path}.",
        code="recording_differs",
        hint="Nothing was changed. Move it away, and fetch again.",
    )


def _begins_with(file: BinaryIO, recording: Recording) -> bool:
    """Whether a file begins with what lies where a recording belongs, if anything does."""
    file.seek(0)
    try:
        with recording.path.open("rb") as there:
            while chunk := there.read(_CHUNK):
                if file.read(len(chunk)) != chunk:
                    return False
    except FileNotFoundError:
        pass
    return True


async def _complete(
    store: Store, recording: Recording, sidecar: Sidecar, file: BinaryIO, progress: Callable[[int], object]
) -> str:
    """Append what is missing of a recording; return the digest of the whole."""
    digest, done = hashlib.sha256(), 0
    file.seek(0)
    while piece := file.read(_CHUNK):
        digest.update(piece)
        done += len(piece)
    if done > sidecar.size:
        return ""
    progress(done)
    while done < sidecar.size:
        before = done
        try:
            async for piece in store.added.pieces(recording.key, done):
                file.write(piece)
                digest.update(piece)
                done += len(piece)
                progress(done)
        except FileNotFoundError as error:
            raise _missing(recording) from error
        except LakeError:
            if done == before:
                raise
            continue  # it was cut, and goes on
        break
    file.flush()
    return digest.hexdigest()


async def _measure(path: Path) -> tuple[int, str]:
    """Return size and digest of a file; it may be cancelled between two pieces."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
            await asyncio.sleep(0)
    return size, digest.hexdigest()


def _read_sidecar(recording: Recording) -> tuple[Sidecar, str]:
    """Return a sidecar, and the digest of it."""
    try:
        data = recording.sidecar_path.read_bytes()
        why = "it cannot be understood"
    except OSError as error:
        data, why = b"", reason_of(error)
    sidecar = decode_sidecar(data)
    if sidecar is None:
        raise LakeError(
            f"The recording {recording.key} has no sidecar that can be read: {why}.",
            code="recording_unexplained",
            hint="It stays where it is and is not put into the store: nothing tells whether it is whole. Put the sidecar "
            "(….zst.json) back beside it.",
            path=recording.key,
        )
    return sidecar, hashlib.sha256(data).hexdigest()


def _prefixes(exchange: Exchange | None, start_ns: int, end_ns: int | None) -> Iterable[str]:
    """Return what all paths of a range begin with: a recording lies in the folder of its start and lasts an hour."""
    venues = [exchange] if exchange is not None else list(Exchange)
    if not start_ns or end_ns is None:
        return [f"{RECORDINGS}/{venue}" for venue in venues]
    first, last = (datetime.fromtimestamp(ns // 1_000_000_000, UTC).date() for ns in (start_ns, end_ns))
    days = list(_days(first - timedelta(days=1), last))
    if len(days) > _DAYS_ASKED:
        return [f"{RECORDINGS}/{venue}" for venue in venues]
    return [f"{RECORDINGS}/{venue}/{day}" for venue in venues for day in days]


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def _missing(recording: Recording) -> LakeError:
    return LakeError(
        f"The recording {recording.key} is not in the store.",
        code="recording_missing",
        hint="See what is there: aperiodic recordings list",
        path=recording.key,
    )
