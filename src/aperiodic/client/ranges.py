"""Some columns of some rows of a file, fetched as ranges of its bytes."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aperiodic.client.download import AS_STORED, CorruptFileError, all_of, refuse_status
from aperiodic.client.frames import UnreadableFileError
from aperiodic.client.parquet_parts import TAIL, Footer, Part, footer_bytes
from aperiodic.client.retry import RetryableError
from aperiodic.client.thrift import ThriftError
from aperiodic.client.transport import BodyTooLargeError, Transport, TransportError, read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from aperiodic.client.cache import Cache
    from aperiodic.client.links import FileLink

__all__ = ["fetch_part"]

_FIRST_READ: Final = 24 * 1024
"""Bytes of the end of a file that are fetched first; most footers are not longer."""
_WORTH_IT: Final = 0.7
"""A larger share of a file is fetched whole, for then it can be verified and kept."""
_APART: Final = 8 * 1024
"""Bytes between two parts that are fetched with them rather than by another request."""
_AT_ONCE: Final = 8


class _NoRangesError(Exception):
    """The server sends whole files only."""


async def fetch_part(
    transport: Transport,
    cache: Cache | None,
    link: FileLink,
    *,
    columns: tuple[str, ...] | None,
    time: str,
    bounds: tuple[int, int] | None,
    read: Callable[[bytes], pl.DataFrame],
) -> pl.DataFrame | None:
    """Fetch some columns of some rows of a file, once.

    What comes is checked by its length and by being readable: the hash that the server tells is that of the whole file.

    Args:
        transport: Fetches it.
        cache: Where such parts are kept.
        link: The file; its size is known.
        columns: Names of columns; None for all.
        time: Name of the column that holds the times.
        bounds: The first and the last time that matter, µs; None for all.
        read: Reads a file that is made of them.

    Returns:
        What was read; None when most of the file is wanted, or its server or its form do not allow parts.

    Raises:
        RetryableError: The attempt failed in a way that may pass.
        DownloadError: It could not be fetched.
    """
    if link.size is None:
        return None
    key = None if link.sha256 is None else json.dumps([link.sha256, columns, time, bounds])
    if cache is not None and key is not None:
        kept = await asyncio.to_thread(cache.columns, key)
        if kept is not None:
            return await asyncio.to_thread(read, kept)
    source = _Source(transport, link, link.size)
    try:
        footer = await source.footer()
        names = footer.columns if columns is None else columns
        groups = footer.groups(time, *bounds) if bounds is not None else footer.groups(time, -(1 << 63), (1 << 63) - 1)
        parts = footer.parts(names, groups)
        if sum(part.size for part in parts) > _WORTH_IT * link.size:
            return None
        await source.fetch(parts)
        body = await asyncio.to_thread(footer.keep, names, groups, source.read)
        frame = await asyncio.to_thread(read, body)
    except (_NoRangesError, ThriftError):
        return None
    except UnreadableFileError as error:
        raise RetryableError(link.failed(error)) from error
    if cache is not None and key is not None:
        await asyncio.to_thread(cache.keep_columns, key, body)
    return frame


class _Source:
    """What was fetched of one file."""

    def __init__(self, transport: Transport, link: FileLink, size: int) -> None:
        self._transport = transport
        self._link = link
        self._size = size
        self._held: list[tuple[int, bytes]] = []

    async def footer(self) -> Footer:
        """Fetch the footer."""
        end = await self._bytes(max(self._size - _FIRST_READ, 0), self._size)
        length = footer_bytes(end[-TAIL:]) + TAIL
        if length > self._size:
            raise ThriftError("The footer is longer than the file.")
        if length > len(end):
            end = await self._bytes(self._size - length, self._size)
        self._held.append((self._size - len(end), end))
        return Footer.read(end[-length:-TAIL])

    async def fetch(self, parts: Sequence[Part]) -> None:
        """Fetch some parts, neighbours together."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def take(begin: int, end: int) -> None:
            async with slots:
                self._held.append((begin, await self._bytes(begin, end)))

        ranges: list[tuple[int, int]] = []
        for part in sorted(parts, key=lambda part: part.begin):
            if part.end > self._size:
                raise ThriftError("A part lies behind the end of the file.")
            if ranges and part.begin - ranges[-1][1] <= _APART:
                ranges[-1] = (ranges[-1][0], max(ranges[-1][1], part.end))
            elif not self._has(part):
                ranges.append((part.begin, part.end))
        await all_of(take(begin, end) for begin, end in ranges)

    def read(self, part: Part) -> bytes:
        """Return the bytes of a part that was fetched."""
        for begin, data in self._held:
            if begin <= part.begin and part.end <= begin + len(data):
                return data[part.begin - begin : part.end - begin]
        raise ThriftError("A part was not fetched.")

    def _has(self, part: Part) -> bool:
        return any(begin <= part.begin and part.end <= begin + len(data) for begin, data in self._held)

    async def _bytes(self, begin: int, end: int) -> bytes:
        link = self._link
        headers = AS_STORED | {"Range": f"bytes={begin}-{end - 1}"}
        try:
            async with self._transport.open(link.url, headers=headers) as answer:
                if answer.status == HTTPStatus.OK:
                    raise _NoRangesError
                if answer.status != HTTPStatus.PARTIAL_CONTENT:
                    await refuse_status(link, answer)
                said = answer.headers.get("Content-Range", "")
                body = await read_body(answer, end - begin)
        except (TransportError, BodyTooLargeError) as error:
            raise RetryableError(link.failed(error)) from error
        if said != f"bytes {begin}-{end - 1}/{self._size}" or len(body) != end - begin:
            raise RetryableError(
                link.failed(CorruptFileError("Other bytes came than those asked for.", code="size_mismatch"))
            )
        return body
