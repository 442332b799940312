"""Raw ticks on disk: where each file lies, when it has to be fetched, and how it gets there whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aperiodic.client.download import AS_STORED, CorruptFileError, download_all, fetch_renewing, refuse_status
from aperiodic.client.names import ServerNames
from aperiodic.client.progress import progress
from aperiodic.client.raw_links import raw_links
from aperiodic.client.retry import RetryableError
from aperiodic.client.transport import Transport, TransportError, open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from aperiodic.client.completeness import Remarks
    from aperiodic.client.links import FileLink
    from aperiodic.client.raw_request import RawRequest

__all__ = ["save_raw"]

_BLOCK: Final = 1024 * 1024

# Windows does not allow colons in names; readers of Hive partitions decode them back.
_COLON: Final = "%3A" if os.name == "nt" else ":"


async def save_raw(request: RawRequest, folder: Path, *, overwrite: bool) -> tuple[list[Path], Remarks]:
    """Fetch the files of a request into a folder; return where they are, in order of time, and what to know of them.

    Args:
        request: What to fetch.
        folder: Where the tree of files begins; made when it is not there.
        overwrite: Fetch also what is there already.

    Raises:
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or written, or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`.
    """
    async with open_transport(request.max_concurrent) as transport:
        names = ServerNames(transport, request.account.base_url)
        await names.check_ticks(request.dataset)
        await names.check_exchange(request.exchange)
        links, remarks = await raw_links(transport, request)
        total = sum(link.size or 0 for link in links.files())
        with progress(request.title, total, "B", shown=request.show_progress and total > 0) as advance:

            async def fetch(link: FileLink) -> Path:
                path = _path(folder, request, link)
                try:
                    held = not overwrite and await asyncio.to_thread(_is_whole, path, link)
                except OSError as error:
                    raise link.failed(error) from error
                if held:
                    advance(link.size or 0)
                else:
                    await fetch_renewing(links, link, _Saving(transport, path, advance).attempt)
                return path

            paths = await download_all(links, request.max_concurrent, fetch)
    return paths, remarks


def _path(folder: Path, request: RawRequest, link: FileLink) -> Path:
    """Where a file lies: Hive partitions, as in the server's store."""
    symbol = str(request.symbol).replace(":", _COLON)
    year, month, day = link.key
    parts = [request.dataset, f"exchange={request.exchange}", f"symbol={symbol}", f"year={year}", f"month={month:02d}"]
    return folder.joinpath(*parts, *([f"day={day:02d}"] if day else []), "data.parquet")


@dataclass(slots=True)
class _Saving:
    """The way of one file to its path, over as many attempts as it takes."""

    transport: Transport
    path: Path
    advance: Callable[[int], object]
    counted: int = 0

    async def attempt(self, link: FileLink) -> None:
        """Fetch the file, or the rest of it, next to its path; verify it; move it there."""
        part = self.path.with_name(f"{self.path.name}.part")
        try:
            held = await asyncio.to_thread(_prepare, part, link)
            if held != link.size:
                await self._fetch(link, part, held)
            await asyncio.to_thread(_finish, part, link, self.path)
        except (TransportError, CorruptFileError) as error:
            raise RetryableError(link.failed(error)) from error
        except OSError as error:
            raise link.failed(error) from error
        self._reach(link.size or self.counted)

    async def _fetch(self, link: FileLink, part: Path, held: int) -> None:
        # Only a file that is still the one with this hash is continued; any other is sent from its beginning.
        rest = {"Range": f"bytes={held}-", "If-Range": f'"{link.sha256}"'} if held else {}
        async with self.transport.open(link.url, headers=AS_STORED | rest) as answer:
            continued = answer.status == HTTPStatus.PARTIAL_CONTENT and answer.headers.get(
                "Content-Range", ""
            ).startswith(f"bytes {held}-")
            if not continued:
                if answer.status != HTTPStatus.OK:
                    await refuse_status(link, answer)
                held = 0
            self._reach(held)
            with part.open("ab" if continued else "wb") as file:
                async with aclosing(_blocks(answer.pieces)) as blocks:
                    async for block in blocks:
                        held += len(block)
                        if link.size is not None and held > link.size:
                            raise CorruptFileError(f"It has more than {link.size:,} bytes.", code="size_mismatch")
                        await asyncio.to_thread(file.write, block)
                        self._reach(held)

    def _reach(self, held: int) -> None:
        self.advance(held - self.counted)
        self.counted = held


async def _blocks(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Join the small pieces that come from a socket into blocks worth a visit to another thread."""
    block = bytearray()
    async for piece in pieces:
        block += piece
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _prepare(part: Path, link: FileLink) -> int:
    """Make the folder, and return how many bytes of an earlier attempt can be continued."""
    part.parent.mkdir(parents=True, exist_ok=True)
    if link.size is None or link.sha256 is None or not part.exists():
        return 0
    held = part.stat().st_size
    return held if held <= link.size else 0


def _finish(part: Path, link: FileLink, path: Path) -> None:
    try:
        _verify(part, link)
    except CorruptFileError:
        part.unlink()
        raise
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _is_whole(path: Path, link: FileLink) -> bool:
    """Whether a file is there and is the one that the server has; without a size and a hash, nobody can tell."""
    if not path.is_file() or (link.size is None and link.sha256 is None):
        return False
    try:
        _verify(path, link)
    except CorruptFileError:
        return False
    return True


def _verify(path: Path, link: FileLink) -> None:
    size = path.stat().st_size
    if link.size is not None and size != link.size:
        raise CorruptFileError(f"It has {size:,} bytes instead of {link.size:,}.", code="size_mismatch")
    if link.sha256 is None:
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != link.sha256:
            raise CorruptFileError("Its SHA-256 is not the one that the server announced.", code="hash_mismatch")
