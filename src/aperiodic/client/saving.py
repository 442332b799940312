"""Files on disk: fetched whole or not at all, and continued where an earlier attempt ended."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aperiodic.client.download import AS_STORED, CorruptFileError, fetch_renewing, refuse_status
from aperiodic.client.retry import RetryableError
from aperiodic.client.transport import Transport, TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from aperiodic.client.links import FileLink, Links

__all__ = ["Saving", "part_of", "path_part", "save_file"]

_BLOCK: Final = 64 * 1024
"""Bytes that are lost at most of what came, when the process is killed."""


# Windows does not allow colons in names; readers of Hive partitions decode them back.
_COLON: Final = "%3A" if os.name == "nt" else ":"


@dataclass(slots=True)
class Saving:
    """The way of one file to its path, over as many attempts as it takes.

    Attributes:
        transport: Fetches it.
        path: Where it goes.
        reach: Takes how many bytes are there.
    """

    transport: Transport
    path: Path
    reach: Callable[[int], object]

    async def attempt(self, link: FileLink) -> None:
        """Fetch the file, or the rest of it, next to its path; verify it; move it there."""
        part = part_of(self.path)
        try:
            held = await asyncio.to_thread(_prepare, part, link)
            if held != link.size:
                await self._fetch(link, part, held)
            await asyncio.to_thread(_finish, part, link, self.path)
        except (TransportError, CorruptFileError) as error:
            raise RetryableError(link.failed(error)) from error
        except OSError as error:
            raise link.failed(error) from error

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
            self.reach(held)
            with part.open("ab" if continued else "wb") as file:
                async with aclosing(_blocks(answer.pieces)) as blocks:
                    async for block in blocks:
                        held += len(block)
                        if link.size is not None and held > link.size:
                            raise CorruptFileError(f"It has more than {link.size:,} bytes.", code="size_mismatch")
                        await asyncio.to_thread(file.write, block)
                        self.reach(held)


async def save_file(
    transport: Transport,
    links: Links,
    link: FileLink,
    path: Path,
    reach: Callable[[int], object],
    *,
    anew: bool = False,
) -> None:
    """Fetch a file to its path, unless it is there already.

    Args:
        transport: Fetches it.
        links: Those of the request, to renew its link.
        link: The file.
        path: Where it goes.
        reach: Takes how many bytes of it are there.
        anew: Fetch it although it is there.

    Raises:
        DownloadError: It could not be fetched or written, or is not what it should be.
    """
    try:
        held = not anew and await asyncio.to_thread(_is_whole, path, link)
    except OSError as error:
        raise link.failed(error) from error
    if not held:
        await fetch_renewing(links, link, Saving(transport, path, reach).attempt)


def path_part(text: str) -> str:
    """Return a text as it may stand in the name of a folder."""
    return text.replace(":", _COLON)


def part_of(path: Path) -> Path:
    """Return where the bytes of a file lie until it is whole."""
    return path.with_name(f"{path.name}.part")


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
