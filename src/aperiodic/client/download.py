"""Fetching the files behind the links, several at a time."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aperiodic.client.errors import DownloadError
from aperiodic.client.frames import UnreadableFileError, read_frame
from aperiodic.client.retry import RETRYABLE_STATUSES, RetryableError, retrying
from aperiodic.client.transport import BodyTooLargeError, Transport, TransportError
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from aperiodic.client.links import FileKey, FileLink, Links
    from aperiodic.client.request import DataRequest

__all__ = ["download_frames"]

_MAX_BYTES: Final = 2 * 1024**3
# The file is compressed already, and its size and hash are those of the bytes as stored.
_HEADERS: Final = {"Accept-Encoding": "identity"}


async def download_frames(
    transport: Transport, links: Links, request: DataRequest, advance: Callable[[], object]
) -> list[pl.DataFrame]:
    """Download and read every file; the first failure ends the other downloads.

    Args:
        transport: Fetches the files, without the API key.
        links: Where the files are.
        request: Which columns and days to expect, and how many downloads to run at the same time.
        advance: Called after each file.

    Returns:
        The frames, in order of time.

    Raises:
        DownloadError: A file could not be fetched or is not what it should be.
    """
    free_slots = asyncio.Semaphore(request.max_concurrent)

    async def fetch(key: FileKey) -> pl.DataFrame:
        async with free_slots:
            frame = await _fetch_file(transport, links, key, request)
        advance()
        return frame

    tasks = [asyncio.create_task(fetch(link.key)) for link in links.files()]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _fetch_file(transport: Transport, links: Links, key: FileKey, request: DataRequest) -> pl.DataFrame:
    link = links.current(key)
    try:
        return await retrying(partial(_attempt, transport, link, request))
    except DownloadError as error:
        if error.status_code != HTTPStatus.FORBIDDEN:
            raise
    # Most likely the link has expired. A second refusal has another reason and is final.
    link = await links.renew(link)
    return await retrying(partial(_attempt, transport, link, request))


async def _attempt(transport: Transport, link: FileLink, request: DataRequest) -> pl.DataFrame:
    max_bytes = _MAX_BYTES if link.size is None else link.size
    try:
        answer = await transport.get(link.url, max_bytes=max_bytes, headers=_HEADERS)
    except (TransportError, BodyTooLargeError) as error:
        raise RetryableError(link.failed(error)) from error
    if answer.status != HTTPStatus.OK:
        refusal = AperiodicDataError(f"The file server answered with status {answer.status}.", code="file_refused")
        failure = link.failed(refusal, answer.status)
        if answer.status in RETRYABLE_STATUSES:
            raise RetryableError(failure, answer.headers.get("Retry-After"))
        raise failure
    try:
        # Hashing and decoding would hold up the other downloads; both release the interpreter lock.
        return await asyncio.to_thread(_read_verified, answer.body, link, request)
    except (_CorruptFileError, UnreadableFileError) as error:
        raise RetryableError(link.failed(error)) from error
    except AperiodicDataError as error:
        raise link.failed(error) from error


class _CorruptFileError(AperiodicDataError):
    """The bytes are not those that the server announced."""


def _read_verified(body: bytes, link: FileLink, request: DataRequest) -> pl.DataFrame:
    if link.size is not None and len(body) != link.size:
        raise _CorruptFileError(f"It has {len(body):,} bytes instead of {link.size:,}.", code="size_mismatch")
    if link.sha256 is not None and hashlib.sha256(body).hexdigest() != link.sha256:
        raise _CorruptFileError("Its SHA-256 is not the one that the server announced.", code="hash_mismatch")
    return read_frame(body, request.dataset.schema, request.start, request.end)
