"""Recordings of exchanges as files: where they lie, what is known of them, and how they are sealed and recovered.

A recording is a file of text lines in independent zstd frames, which hold whole lines. While it is written its name
ends in `.zst.open`, and its writer holds a lock on it; once sealed it never changes, and a sidecar `….zst.json` says
what it holds.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.durability import sync_to_disk
from aperiodic.lake.layout import RECORDINGS
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from pathlib import PurePath

__all__ = [
    "SIDECAR",
    "Recording",
    "Sidecar",
    "begin",
    "claim",
    "decode_sidecar",
    "host_name",
    "is_cut",
    "is_recording_name",
    "is_sidecar",
    "list_recordings",
    "list_sidecars",
    "list_strange",
    "new_recording",
    "order_of",
    "place",
    "read_sidecar",
    "recording_at",
    "recording_before",
    "recover",
    "seal",
]

_FOLDERS: Final = 4
_OPEN: Final = ".zst.open"
_SEALED: Final = ".zst"
SIDECAR: Final = ".json"
"""What the name of a sidecar has after that of its recording."""

_FETCHED: Final = ".fetched"
_NAME: Final = re.compile(r"(.+)-([a-z0-9_]+)-(\d{1,20})\.zst(\.open)?")
_OF_OURS: Final = re.compile(r"(\.json|\.fetched|\.part)$")
"""What the names of files that belong to a recording have after that of the recording."""

_FOLDERS_OF_TIME: Final = 2
"""Day and hour."""

_CHUNK: Final = 1 << 20
_MAX_HOST: Final = 60
_MARK: Final = 8
_NS: Final = 1_000_000_000
_LATEST_S: Final = 4_102_444_800
"""The year 2100."""


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """What a sealed recording holds.

    Attributes:
        sha256: Hex digest of the file.
        size: Bytes of the file.
        first_ns: Time of its first line, ns; 0 if it has none.
        last_ns: Latest time of a line, ns; 0 if it has none.
        frames: Frames of the venue in it.
        streams: Venue's names of the streams that its connections asked for, ascending.
        recovered: Whether its writer ended without sealing it, so that what it received last may be missing.
    """

    sha256: str
    size: int
    first_ns: int
    last_ns: int
    frames: int
    streams: tuple[str, ...] = ()
    recovered: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Recording:
    """One recording.

    Attributes:
        start_ns: When it was begun, ns.
        exchange: Venue.
        host: Machine that wrote it.
        shard: Part of the venue that it holds: letters, digits and underscores.
        path: Where it lies.
        is_open: Whether it is not sealed.
    """

    start_ns: int
    exchange: Exchange
    host: str
    shard: str
    path: Path
    is_open: bool

    @property
    def key(self) -> str:
        """Where it lies in a store, and below the home of an installation, once it is sealed."""
        return f"{_folder_of(self.exchange, self.start_ns)}/{self.sealed_path.name}"

    @property
    def writer(self) -> str:
        """Host and part of the venue, as in checkpoints."""
        return f"{self.host}-{self.shard}"

    @property
    def sealed_path(self) -> Path:
        """Where it lies once it is sealed."""
        return self.path.with_name(self.path.name.removesuffix(".open"))

    @property
    def fetched_path(self) -> Path:
        """Where it lies while it is fetched from a store."""
        return self.sealed_path.with_name(self.sealed_path.name + _FETCHED)

    @property
    def sidecar_path(self) -> Path:
        """Where its sidecar lies."""
        return self.sealed_path.with_name(self.sealed_path.name + SIDECAR)


@cache
def host_name() -> str:
    """Return this machine's name as it stands in the names of recordings."""
    name = socket.gethostname()
    plain = re.sub(r"[^a-z0-9.-]+", "-", name.lower())
    if name.isascii() and len(plain) <= _MAX_HOST:
        return plain.strip("-.") or "host"
    # What is left of it may be that of another machine too, and recordings of both may come to one store.
    mark = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:_MARK]
    return f"{plain[: _MAX_HOST - _MARK - 1].strip('-.') or 'host'}-{mark}"


def new_recording(home: Path, exchange: Exchange, shard: str, start_ns: int) -> Recording:
    """Return a recording that is to be begun; its folder is made, the file is not.

    Raises:
        OSError: The system refused.
    """
    folder = home / _folder_of(exchange, start_ns)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{host_name()}-{shard}-{start_ns}{_OPEN}"
    return Recording(start_ns, exchange, host_name(), shard, path, is_open=True)


def _folder_of(exchange: Exchange, start_ns: int) -> str:
    begin = datetime.fromtimestamp(min(start_ns // _NS, _LATEST_S), UTC)
    return f"{RECORDINGS}/{exchange}/{begin:%Y-%m-%d}/{begin:%H}"


def recording_at(home: Path, key: str) -> Recording | None:
    """Return the sealed recording of a key, as it lies or would lie in an installation; None where it is no key of one."""
    *folders, name = key.split("/")
    match = _NAME.fullmatch(name)
    if match is None or match[4] is not None or len(folders) != _FOLDERS:
        return None
    exchange = {str(each): each for each in Exchange}.get(folders[1])
    if exchange is None:
        return None
    host, shard, start = match.groups()[:3]
    found = Recording(int(start), exchange, host, shard, home / key, is_open=False)
    return found if found.key == key else None


def is_recording_name(name: str) -> bool:
    """Whether a file of this name is taken for a recording."""
    return _NAME.fullmatch(name) is not None


def begin(recording: Recording) -> BinaryIO:
    """Make the file of a new recording and hold its lock; the lock ends with the process, or when the file is closed.

    Raises:
        OSError: The system refused.
    """
    # It gets its name once the lock is held: nobody must take it for a dead writer's.
    partial = recording.path.with_name(recording.path.name + ".part")
    file = partial.open("xb", buffering=0)
    _lock(file)
    partial.rename(recording.path)
    return file


def list_recordings(
    home: Path, exchange: Exchange | None = None, *, first: date | None = None, last: date | None = None
) -> list[Recording]:
    """Return the recordings of an installation, in the order in which they were begun; foreign folders are passed over.

    Args:
        home: Folder of the installation.
        exchange: Only of this venue.
        first: Only of folders from this day of UTC on.
        last: Only of folders up to this day.
    """
    found = []
    venues = {str(each): each for each in Exchange}
    for path in (home / RECORDINGS).glob(f"{exchange or '*'}/*/*/*{_SEALED}*"):
        match = _NAME.fullmatch(path.name)
        day = path.parent.parent.name
        venue = venues.get(path.parts[-4])
        if match is None or venue is None or (first and day < first.isoformat()) or (last and day > last.isoformat()):
            continue
        host, shard, start, is_open = match.groups()
        found.append(Recording(int(start), venue, host, shard, path, is_open=is_open is not None))
    return sorted(found)


def list_sidecars(home: Path) -> list[Recording]:
    """Return the recordings of which nothing but the sidecar is on this disk."""
    found = []
    for path in (home / RECORDINGS).glob(f"*/*/*/*{_SEALED}{SIDECAR}"):
        recording = recording_at(home, path.relative_to(home).as_posix().removesuffix(SIDECAR))
        # Until the last moment a file has one of these names; what is looked for last is what it becomes.
        names = (_OPEN, f"{_SEALED}{_FETCHED}", _SEALED)
        if recording is None:
            continue
        bare = recording.path.name.removesuffix(_SEALED)
        if not any(path.with_name(bare + ending).exists() for ending in names):
            found.append(recording)
    return found


def list_strange(home: Path) -> list[Path]:
    """Return files in the folders of recordings that are taken for none, as their names or places are not those of recordings.

    Recordings that were renamed are among them. Folders of unknown venues are passed over, and so are hidden files.
    """
    found = []
    for exchange in Exchange:
        top = home / RECORDINGS / exchange
        for place, folders, names in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            is_in_place = len(Path(place).relative_to(top).parts) == _FOLDERS_OF_TIME
            found += [
                Path(place, name)
                for name in names
                if not name.startswith(".") and not (is_in_place and _NAME.fullmatch(_OF_OURS.sub("", name)))
            ]
    return sorted(found)


def recording_before(path: Path, others: Iterable[Path] = ()) -> Path | None:
    """Return the sealed recording that the same writer made before another, by their names; None where it is not found.

    Args:
        path: The other.
        others: Where it may be, besides the folders of the same hour and of the one before.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    writer, start = match.groups()[:2], int(match[3])
    hour_before = datetime.fromtimestamp(min(max(start // _NS - 3_600, 0), _LATEST_S), UTC)
    absolute = path.absolute()
    folders = absolute.parent, absolute.parent.parent.parent / f"{hour_before:%Y-%m-%d}" / f"{hour_before:%H}"
    found = [*others, *(each for folder in dict.fromkeys(folders) for each in folder.glob(f"*{_SEALED}"))]
    earlier = [
        (int(name[3]), each)
        for each in found
        if (name := _NAME.fullmatch(each.name)) is not None
        and name.groups()[:2] == writer
        and name[4] is None
        and int(name[3]) < start
    ]
    return max(earlier)[1] if earlier else None


def order_of(name: str) -> int:
    """Return when a recording was begun, ns, as its name says."""
    return int(name.removesuffix(".open").removesuffix(_SEALED).rpartition("-")[2])


def is_sidecar(path: PurePath) -> bool:
    """Whether a file is what describes a recording, by its name."""
    name = path.name.removesuffix(SIDECAR)
    return name != path.name and _NAME.fullmatch(name) is not None


def read_sidecar(recording: Recording) -> Sidecar | None:
    """Return what is known of a sealed recording; None where nothing is, or it cannot be read."""
    try:
        return decode_sidecar(recording.sidecar_path.read_bytes())
    except OSError:
        return None


def is_cut(recording: Recording) -> bool:
    """Whether a sealed recording is shorter than its sidecar says: the rest of it may come back.

    A sidecar is there before its recording has its name, so one that is just being sealed or fetched is never taken for cut.
    Without a sidecar that can be read, and where there is no file, nothing tells.
    """
    if recording.is_open:
        return False
    sidecar = read_sidecar(recording)
    try:
        return sidecar is not None and recording.path.stat().st_size < sidecar.size
    except OSError:
        return False


def decode_sidecar(data: bytes) -> Sidecar | None:
    """Return what a sidecar says; None where it cannot be read."""
    try:
        return SIDECARS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@contextmanager
def claim(file: BinaryIO) -> Iterator[bool]:
    """Hold the lock on an open recording until the file is closed; yields whether nobody else holds it."""
    try:
        _lock(file)
    except OSError:
        yield False
        return
    yield True


def _lock(file: BinaryIO) -> None:
    import fcntl  # noqa: PLC0415 - who only imports recordings may be on a system without it

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def seal(recording: Recording, sidecar: Sidecar) -> Recording:
    """Give a recording that is complete and on the disk its final name, after its sidecar.

    Raises:
        OSError: The system refused.
    """
    place(recording, recording.path, msgspec.json.format(msgspec.json.encode(sidecar)) + b"\n")
    return Recording(
        recording.start_ns,
        recording.exchange,
        recording.host,
        recording.shard,
        recording.sealed_path,
        is_open=False,
    )


def place(recording: Recording, file: Path, sidecar: bytes) -> None:
    """Give a file that is complete and on the disk the name of a sealed recording, after its sidecar.

    Raises:
        OSError: The system refused.
    """
    partial = recording.sidecar_path.with_name(recording.sidecar_path.name + ".part")
    partial.write_bytes(sidecar)
    sync_to_disk(partial)
    partial.rename(recording.sidecar_path)
    file.rename(recording.sealed_path)
    sync_to_disk(recording.sealed_path.parent)


def recover(home: Path, exchange: Exchange | None = None) -> list[tuple[Recording, Sidecar]]:
    """Seal what writers that ended on the way left behind, cut after the last whole block of lines.

    A file without a whole block is removed: nothing that can be read was ever in it.

    Returns:
        The recordings that were sealed.

    Raises:
        OSError: The system refused.
    """
    for partial in (home / RECORDINGS).glob(f"{exchange or '*'}/*/*/{host_name()}-*.part"):
        with suppress(FileNotFoundError), partial.open("rb") as unnamed, claim(unnamed) as is_mine:
            if is_mine:
                partial.unlink()
    recovered = []
    for recording in list_recordings(home, exchange):
        if not recording.is_open or recording.host != host_name():
            continue
        with suppress(FileNotFoundError), recording.path.open("r+b") as file, claim(file) as is_mine:
            if not is_mine or not recording.path.exists():  # somebody else writes it, or has sealed it meanwhile
                continue
            sidecar = _cut(file)
            if sidecar.size:
                recovered.append((seal(recording, sidecar), sidecar))
            else:
                recording.path.unlink()
    return recovered


def _cut(file: BinaryIO) -> Sidecar:
    end = frames = first = last = 0
    streams: set[str] = set()
    for end, block in whole_blocks(file):  # noqa: B007 - the end is wanted after the last one
        lines = block.removesuffix(b"\n").split(b"\n")
        for line in (lines[0], lines[-1]):
            stamp = line.partition(b" ")[0]
            time = int(stamp) if stamp.isdigit() else 0
            first, last = first or time, max(last, time)
        frames += len(lines)
        if b" !" in block:
            for line in lines:
                word, _, body = line.split(b" ", 2)[-1].partition(b" ")
                frames -= word.startswith(b"!") and word != b"!b64"
                if word == b"!open":
                    with suppress(msgspec.DecodeError, UnicodeDecodeError):
                        streams.update(_OPENED.decode(body).streams)
    file.truncate(end)
    os.fsync(file.fileno())
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return Sidecar(
        sha256=digest.hexdigest(),
        size=end,
        first_ns=first,
        last_ns=last,
        frames=frames,
        streams=tuple(sorted(streams)),
        recovered=True,
    )


class _Opened(msgspec.Struct):
    streams: tuple[str, ...] = ()


SIDECARS: Final = msgspec.json.Decoder(Sidecar)
_OPENED: Final = msgspec.json.Decoder(_Opened)
