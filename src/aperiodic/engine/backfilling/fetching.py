"""Fetching files of archives: resumed where they broke off, verified, and put in place under their final name only then."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aperiodic.engine.backfilling.pace import Pace
from aperiodic.engine.backfilling.remote import Answer, Found, Remote, open_remote
from aperiodic.engine.errors import ArchiveError
from aperiodic.lake.durability import sync_to_disk
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aperiodic.lake.archive_files import ArchivedFile
    from aperiodic.venues.archive import ArchiveBase, ArchiveFile

__all__ = ["Fetched", "Fetcher", "Presence"]

_CHECKSUM: Final = ".CHECKSUM"
_DIGEST: Final = re.compile(rb"\s*([0-9A-Fa-f]{64})(?:[ \t]+\*?([^\r\n]*))?\s*")
_PIECE: Final = 1 << 20
_MOST_BYTES: Final = 8 << 30
_RESERVE_BYTES: Final = 1 << 30
_TRIES: Final = 5
"""How often a file that breaks off is gone on with."""
_LIVES: Final = 2
"""How often a file whose content is not what its checksum says is fetched from the beginning."""


class Presence(StrEnum):
    """Whether an archive has a file."""

    HELD = "held"
    ABSENT = "absent"
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one file.

    Attributes:
        file: Which one.
        presence: Whether the archive has it; not yet, where it may still come.
        path: Where it lies in the archive.
        local: Where it lies here; None if it was not fetched.
        sha256: Digest of it.
        size: Bytes.
        etag: The archive's mark of the content.
        unverified: Whether the archive has checksums but none of this file.
    """

    file: ArchiveFile
    presence: Presence
    path: str = ""
    local: Path | None = None
    sha256: str = ""
    size: int = 0
    etag: str = ""
    unverified: bool = False


class Fetcher:
    """Fetches files below one folder; several threads may ask at the same time."""

    def __init__(
        self,
        folder: Path,
        addresses: Mapping[str, str],
        *,
        now: Callable[[], int] = now_us,
        remote: Callable[[ArchiveBase, Pace], Remote] = open_remote,
        pace: Callable[[str], Pace] = Pace,
    ) -> None:
        """Prepare.

        Args:
            folder: Where files are kept until they are imported.
            addresses: Addresses that stand in for those of some archives, by the archive's name.
            now: Tells the time, µs.
            remote: Makes what an archive is read with.
            pace: Makes what it is asked by.
        """
        self._folder = folder
        self._addresses = addresses
        self._now = now
        self._make_remote = remote
        self._make_pace = pace
        self._lock = threading.Lock()
        self._remotes: dict[str, Remote] = {}
        self._paces: dict[str, Pace] = {}
        self._busy: dict[tuple[str, str], threading.Lock] = {}
        self._done: dict[tuple[str, str], Fetched] = {}

    def fetch(self, file: ArchiveFile) -> Fetched:
        """Fetch a file, or tell that it is not there; what was fetched before by this object is not fetched again.

        Raises:
            ArchiveError: `archive_blocked`, `archive_denied`, `archive_refused`, `bad_checksum`, `checksum_mismatch`,
                `connection_lost`, `disk_full`, `file_too_large`.
        """
        key = file.base.name, file.path
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:
            if key not in self._done:
                self._done[key] = self._fetch(file)
            return self._done[key]

    def changed(self, held: ArchivedFile, file: ArchiveFile) -> bool:
        """Return whether an archive has another content now than the one that was imported, or one that was absent.

        Where it gives no checksum, size and mark tell. A file that is gone since is no change.

        Raises:
            ArchiveError: As `fetch`.
        """
        if not held.sha256:
            return any(self._remote(file.base).find(path) is not None for path in file.paths)
        remote = self._remote(file.base)
        if file.base.checksums:
            told = remote.small(held.path + _CHECKSUM)
            if told is not None:
                return _read_checksum(held.path, told) != held.sha256
        found = remote.find(held.path)
        if found is None:
            return False
        marks = held.etag, found.etag
        return (found.size is not None and found.size != held.size) or (all(marks) and marks[0] != marks[1])

    def release(self, file: ArchiveFile) -> None:
        """Remove a file that is not needed any more, and what a run that ended early left of it."""
        self._done.pop((file.base.name, file.path), None)
        for path in file.paths:
            place = self._place(file.base, path)
            for each in (place, _part_of(place), _mark_of(place)):
                each.unlink(missing_ok=True)
            # Folders that are empty now go, up to that of all archives.
            folder = place.parent
            with suppress(OSError):
                while folder != self._folder:
                    folder.rmdir()
                    folder = folder.parent

    def stop(self) -> None:
        """Let all threads that fetch come to an end."""
        with self._lock:
            for pace in self._paces.values():
                pace.stop()

    def close(self) -> None:
        """Let go of connections."""
        for remote in self._remotes.values():
            remote.close()

    def _remote(self, base: ArchiveBase) -> Remote:
        with self._lock:
            if base.name not in self._remotes:
                address = self._addresses.get(base.name, base.url).rstrip("/")
                pace = self._paces[base.name] = self._make_pace(base.label)
                self._remotes[base.name] = self._make_remote(replace(base, url=address), pace)
            return self._remotes[base.name]

    def _place(self, base: ArchiveBase, path: str) -> Path:
        return self._folder / base.name / quote(path)

    def _fetch(self, file: ArchiveFile) -> Fetched:
        if self._now() < file.begin:
            return Fetched(file, Presence.NOT_YET)  # a day to come
        remote = self._remote(file.base)
        for path in file.paths:
            digest = None
            if file.base.checksums:
                told = remote.small(path + _CHECKSUM)
                digest = None if told is None else _read_checksum(path, told)
            fetched = self._fetch_path(remote, file, path, digest)
            if fetched is not None:
                return fetched
        return Fetched(file, Presence.NOT_YET if self._now() < file.published_by else Presence.ABSENT)

    def _fetch_path(self, remote: Remote, file: ArchiveFile, path: str, digest: str | None) -> Fetched | None:
        """Fetch a file from one of its paths; None when it is not there."""
        place = self._place(file.base, path)
        for _ in range(_LIVES):
            found = remote.find(path) if place.exists() else None
            if found is not None and _is_whole(place, found, digest):
                etag = found.etag
            else:
                told = self._download(remote, path, place)
                if told is None:
                    return None
                etag = told
            sha256, size = _digest_of(place)
            if digest is None or sha256 == digest:
                return Fetched(
                    file,
                    Presence.HELD,
                    path,
                    place,
                    sha256,
                    size,
                    etag,
                    unverified=file.base.checksums and digest is None,
                )
            place.unlink()
        raise ArchiveError(
            f"{path} at {file.base.label} is not what its checksum says, twice over.",
            code="checksum_mismatch",
            hint="Nothing of it was taken over. Try again later: the archive replaces such files.",
        )

    def _download(self, remote: Remote, path: str, place: Path) -> str | None:
        """Bring a file to its place; return its mark, None when it is not there."""
        part, mark = _part_of(place), _mark_of(place)
        _begin(part)
        reason = ""
        for _ in range(_TRIES):
            start, etag = (part.stat().st_size, mark.read_text()) if part.exists() and mark.exists() else (0, "")
            if not etag:
                start = 0  # without a mark nothing tells whether it is still the same file
            try:
                with remote.open(path, start, etag) as answer:
                    if answer is None:
                        part.unlink(missing_ok=True)
                        return None
                    mark.write_text(answer.etag)
                    self._store(path, part, answer)
            except ConnectionError as error:
                reason = str(error)
                continue
            if answer.size is not None and part.stat().st_size != answer.size:
                reason = f"{part.stat().st_size:,} of {answer.size:,} bytes came"
                if part.stat().st_size > answer.size:
                    mark.unlink()
                continue
            sync_to_disk(part)
            part.replace(place)
            sync_to_disk(place.parent)
            return answer.etag
        raise ArchiveError(
            f"{path} broke off {_TRIES} times: {reason}.",
            code="connection_lost",
            hint="Run the same command again: it goes on where it broke off.",
        )

    def _store(self, path: str, part: Path, answer: Answer) -> None:
        size = answer.start if answer.size is None else answer.size
        if size > _MOST_BYTES:
            raise _too_large(path)
        _require_room(part, size - answer.start)
        with part.open("r+b" if answer.start else "wb") as handle:
            handle.seek(answer.start)
            handle.truncate()
            for piece in answer.content:
                handle.write(piece)
                if handle.tell() > _MOST_BYTES:
                    raise _too_large(path)
            handle.flush()


def _is_whole(place: Path, found: Found, digest: str | None) -> bool:
    """Return whether a file that an earlier run left behind can be used."""
    if found.size != place.stat().st_size:
        return False
    if digest is not None:
        return _digest_of(place)[0] == digest
    mark = _mark_of(place)
    return mark.exists() and bool(found.etag) and mark.read_text() == found.etag


def _begin(part: Path) -> None:
    """Make a file to gather in, and its folder, which another thread may be removing at this moment because it is empty."""
    for last in (False,) * (_TRIES - 1) + (True,):
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.touch()
        except FileNotFoundError:
            if last:
                raise
        else:
            return


def _part_of(place: Path) -> Path:
    """Return where a file is gathered."""
    return place.with_name(place.name + ".part")


def _mark_of(place: Path) -> Path:
    """Return where the archive's mark of a file is kept beside it."""
    return place.with_name(place.name + ".etag")


def _digest_of(place: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with place.open("rb") as handle:
        while piece := handle.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _read_checksum(path: str, told: bytes) -> str:
    match = _DIGEST.fullmatch(told)
    named = None if match is None else (match[2] or b"").decode(errors="replace").strip()
    if match is None or (named and named.rpartition("/")[2] != path.rpartition("/")[2]):
        raise ArchiveError(
            f"{path}{_CHECKSUM} holds {told[:60]!r}, which is not the checksum of that file.",
            code="bad_checksum",
            hint="Nothing was taken over. Try again later, and check the address of the archive.",
        )
    return match[1].decode().lower()


def _require_room(part: Path, size: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < size + _RESERVE_BYTES:
        raise ArchiveError(
            f"{part.name} needs {max(size, 0):,} bytes, and only {free:,} are free.",
            code="disk_full",
            hint="Free some space, then run the same command again: it goes on where it broke off.",
        )


def _too_large(path: str) -> ArchiveError:
    return ArchiveError(
        f"{path} is larger than {_MOST_BYTES >> 30} GiB, which no file of an archive is.",
        code="file_too_large",
        hint="Check the address of the archive.",
    )
