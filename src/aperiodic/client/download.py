"""Fetching the files behind the links, several at a time."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aperiodic.client.frames import UnreadableFileError
from aperiodic.client.rest import json_object
from aperiodic.client.retry import RETRYABLE_STATUSES, RetryableError, retrying
from aperiodic.client.transport import BodyTooLargeError, Opened, Transport, TransportError, read_body
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from aperiodic.client.bodies import Bodies
    from aperiodic.client.errors import DownloadError
    from aperiodic.client.links import FileLink, Links

__all__ = [
    "AS_STORED",
    "CorruptFileError",
    "all_of",
    "download_all",
    "download_frame",
    "fetch_renewing",
    "refuse_status",
]

_MAX_BYTES: Final = 2 * 1024**3
_MAX_ERROR_BYTES: Final = 64 * 1024

AS_STORED: Final = {"Accept-Encoding": "identity"}
"""Headers of a request for a file: it is compressed already, and its size and hash are those of the stored bytes."""

T = TypeVar("T")


class CorruptFileError(AperiodicDataError):
    """The bytes are not those that the server announced."""


class _StaleLinkError(Exception):
    """The link no longer leads to the file; a new one may.

    Attributes:
        error: What the caller gets if a new one does not.
    """

    def __init__(self, error: DownloadError) -> None:
        super().__init__(str(error))
        self.error = error


async def download_all(
    links: Links, max_concurrent: int, fetch: Callable[[FileLink], Coroutine[Any, Any, T]]
) -> list[T]:
    """Call `fetch` for every file; the first failure ends the other downloads.

    Args:
        links: Where the files are.
        max_concurrent: How many downloads run at the same time.
        fetch: Does the work for one file, given its newest link.

    Returns:
        What `fetch` returned, in order of time.
    """
    free_slots = asyncio.Semaphore(max_concurrent)

    async def take_turn(link: FileLink) -> T:
        async with free_slots:
            return await fetch(links.current(link.key))

    return await all_of(take_turn(link) for link in links.files())


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do several works at the same time and return what they return; the first failure ends the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fetch_renewing(links: Links, link: FileLink, attempt: Callable[[FileLink], Awaitable[T]]) -> T:
    """Await `attempt(link)`, again while its failure may pass, and once more with a new link if the link is stale.

    Raises:
        DownloadError: The file could not be fetched or is not what it should be.
    """
    try:
        return await retrying(partial(attempt, link))
    except _StaleLinkError:
        link = await links.renew(link)
    try:
        return await retrying(partial(attempt, link))
    except _StaleLinkError as stale:
        # It was refused while it was new, so its age is not the reason.
        raise stale.error from None


async def download_frame(transport: Transport, bodies: Bodies, read: Callable[[bytes], T], link: FileLink) -> T:
    """Fetch a file into memory and read it, once."""
    async with bodies.one(link.size or 0):
        return await _download(transport, read, link)


async def _download(transport: Transport, read: Callable[[bytes], T], link: FileLink) -> T:
    max_bytes = _MAX_BYTES if link.size is None else link.size
    try:
        async with transport.open(link.url, headers=AS_STORED) as answer:
            if answer.status != HTTPStatus.OK:
                await refuse_status(link, answer)
            body = await read_body(answer, max_bytes)
    except (TransportError, BodyTooLargeError) as error:
        raise RetryableError(link.failed(error)) from error
    try:
        # Hashing and decoding would hold up the other downloads; both release the interpreter lock.
        return await asyncio.to_thread(_read_verified, body, link, read)
    except (CorruptFileError, UnreadableFileError) as error:
        raise RetryableError(link.failed(error)) from error
    except AperiodicDataError as error:
        raise link.failed(error) from error


async def refuse_status(link: FileLink, answer: Opened) -> None:
    """Raise what an answer other than the file means: another attempt, a new link, or the end."""
    refusal = AperiodicDataError(
        f"The file server answered with status {answer.status}{_target(answer)}.",
        code="file_refused",
        hint=_hint(answer.status),
    )
    failure = link.failed(refusal, answer.status)
    if answer.status in RETRYABLE_STATUSES:
        raise RetryableError(failure, answer.headers.get("Retry-After"))
    if answer.status == HTTPStatus.FORBIDDEN:
        raise _StaleLinkError(failure)  # most likely it has expired
    if answer.status == HTTPStatus.NOT_FOUND:
        try:
            said = json_object(await read_body(answer, _MAX_ERROR_BYTES)) or {}
        except BodyTooLargeError:
            raise failure from None
        if said.get("code") == "object_missing":
            raise _StaleLinkError(failure)  # a newer revision may have taken its place
    raise failure


def _target(answer: Opened) -> str:
    location = answer.headers.get("Location")
    return "" if location is None else f", a redirect to {location.partition('?')[0][:200]}"


def _hint(status: int) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "Redirects are not followed. The operator has to give links that lead to the files themselves."
    if status == HTTPStatus.FORBIDDEN:
        return "A new link was refused too. A proxy on the way may change it; otherwise tell the operator."
    if status in RETRYABLE_STATUSES:
        return "The file server is busy or down. Send the request again later."
    return "Send the request again; if it fails again, tell the operator of the server."


def _read_verified(body: bytes, link: FileLink, read: Callable[[bytes], T]) -> T:
    if link.size is not None and len(body) != link.size:
        raise CorruptFileError(f"It has {len(body):,} bytes instead of {link.size:,}.", code="size_mismatch")
    if link.sha256 is not None and hashlib.sha256(body).hexdigest() != link.sha256:
        raise CorruptFileError("Its SHA-256 is not the one that the server announced.", code="hash_mismatch")
    return read(body)
