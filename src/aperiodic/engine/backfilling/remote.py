"""Reading files of an archive over HTTP, or from a bucket where the reader pays."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from aperiodic.engine.errors import ArchiveError
from aperiodic.market.retry_after import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aperiodic.engine.backfilling.pace import Pace
    from aperiodic.venues.archive import ArchiveBase

__all__ = ["Answer", "Found", "HttpRemote", "Remote", "S3Remote", "open_remote"]

_SLOW: Final = frozenset({403, 408, 418, 425, 429, 500, 502, 503, 504})
"""Answers that pass by themselves; 403 is how a content network refuses those who ask too fast."""
_ABSENT: Final = frozenset({404, 410})
_SMALL: Final = 1 << 16
_CHUNK: Final = 1 << 20
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
Reply = TypeVar("Reply")
_PAYER: Final = {"x-amz-request-payer": "requester"}


class Found(NamedTuple):
    """What an archive says of a file without sending it.

    Attributes:
        size: Bytes; None if it does not say.
        etag: Its mark of the content, in small letters; empty if it gives none.
    """

    size: int | None
    etag: str


class Answer(NamedTuple):
    """A file as it arrives.

    Attributes:
        start: Byte that the content begins with: 0 where a rest was asked for and the whole is sent.
        size: Bytes of the whole file; None if the archive does not say.
        etag: As in `Found`.
        content: The bytes from `start` on.
    """

    start: int
    size: int | None
    etag: str
    content: Iterator[bytes]


class Remote(Protocol):
    """Where the files of one archive are read."""

    def find(self, path: str) -> Found | None:
        """Return what is said of a file; None when there is none.

        Raises:
            ArchiveError: `archive_blocked`, `archive_denied`, `archive_refused` or `archive_unreachable`.
        """

    def small(self, path: str) -> bytes | None:
        """Return a file of at most 64 KiB; None when there is none.

        Raises:
            ArchiveError: As `find`; `file_too_large`.
        """

    @contextmanager
    def open(self, path: str, start: int = 0, etag: str = "") -> Iterator[Answer | None]:
        """Read a file from a byte on, if it still has that mark; None when there is none.

        Raises:
            ArchiveError: As `find`.
            ConnectionError: The connection broke off while the content was read.
        """

    def close(self) -> None:
        """Let go of connections."""


class HttpRemote:
    """An archive on a web server."""

    def __init__(self, base: ArchiveBase, pace: Pace, transport: httpx.BaseTransport | None = None) -> None:
        """Prepare; `transport` stands in for the network in tests."""
        self._base = base
        self._pace = pace
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            follow_redirects=True,
            headers={"Accept-Encoding": "identity", **(_PAYER if base.paid else {})},
            transport=transport,
        )

    def find(self, path: str) -> Found | None:
        """See `Remote`."""
        with self._request("HEAD", path) as response:
            return None if response is None else Found(_size(response), _etag(response))

    def small(self, path: str) -> bytes | None:
        """See `Remote`."""
        with self._request("GET", path) as response:
            if response is None:
                return None
            content = bytearray()
            for piece in self._pieces(response):
                content += piece
                if len(content) > _SMALL:
                    raise ArchiveError(
                        f"{path} at {self._base.label} should be short and is over {_SMALL:,} bytes long.",
                        code="file_too_large",
                        hint=f"Check the address: APERIODIC_ARCHIVE_{self._base.name.upper()}",
                    )
            return bytes(content)

    @contextmanager
    def open(self, path: str, start: int = 0, etag: str = "") -> Iterator[Answer | None]:
        """See `Remote`."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and etag:
            headers["If-Range"] = f'"{etag}"'
        with self._request("GET", path, headers) as response:
            if response is None:
                yield None
                return
            begin, size = 0, _size(response)
            if response.status_code == httpx.codes.PARTIAL_CONTENT:
                begin, size = _range(response)
            yield Answer(begin, size, _etag(response), self._pieces(response))

    def close(self) -> None:
        """See `Remote`."""
        self._client.close()

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            for piece in response.iter_raw():
                self._pace.go_on()
                yield piece
        except httpx.TransportError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    @contextmanager
    def _request(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response | None]:
        url = f"{self._base.url}/{quote(path)}"
        while True:
            self._pace.wait()
            request = self._client.build_request(method, url, headers=headers)
            try:
                response = self._client.send(request, stream=True)
            except httpx.InvalidURL as error:
                raise self._refused(f"the address {url} is not valid: {error}") from error
            except httpx.TransportError as error:
                self._pace.slow_down(str(error) or type(error).__name__, None)
                continue
            try:
                if response.status_code == httpx.codes.FORBIDDEN and self._base.paid:
                    raise _denied(self._base, "403 Forbidden")
                if response.status_code in _SLOW:
                    asked = response.headers.get("Retry-After")
                    self._pace.slow_down(
                        f"{response.status_code} {response.reason_phrase}",
                        None if asked is None else retry_after_s(asked),
                    )
                    continue
                self._pace.answered()
                if response.status_code in _ABSENT:
                    yield None
                elif response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    # What is held already is as long as the file or longer: read it anew.
                    headers = None
                    continue
                elif response.is_success:
                    yield response
                else:
                    raise self._refused(f"it answered {response.status_code} to {url}")
                return
            finally:
                response.close()

    def _refused(self, reason: str) -> ArchiveError:
        return ArchiveError(
            f"{self._base.label} refused: {reason}.",
            code="archive_refused",
            hint=f"Check the address: APERIODIC_ARCHIVE_{self._base.name.upper()}",
        )


class S3Remote:
    """An archive in a bucket; requests are signed, and the reader pays for them."""

    def __init__(self, base: ArchiveBase, pace: Pace) -> None:
        """Prepare; credentials are those of the environment."""
        self._base = base
        self._pace = pace
        parts = urlsplit(base.url)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._prefix = parts.path.strip("/")
        self._store = S3Store(
            parts.netloc,
            region=options.get("region", "us-east-1"),
            request_payer=base.paid,
            config={"endpoint": options["endpoint"]} if "endpoint" in options else None,
            client_options={"allow_http": options.get("allow_http") == "true"},
        )

    def find(self, path: str) -> Found | None:
        """See `Remote`."""
        meta = self._ask(lambda: obstore.head(self._store, self._key(path)))
        return None if meta is None else Found(meta["size"], _mark(meta["e_tag"]))

    def small(self, path: str) -> bytes | None:
        """See `Remote`."""
        with self.open(path) as answer:
            return None if answer is None else next(answer.content, b"")[:_SMALL]

    @contextmanager
    def open(self, path: str, start: int = 0, etag: str = "") -> Iterator[Answer | None]:
        """See `Remote`."""
        if start:
            found = self.find(path)
            if found is None or not etag or found.etag != etag or (found.size or 0) <= start:
                start = 0
        options = {"range": {"offset": start}} if start else {}
        result = self._ask(lambda: obstore.get(self._store, self._key(path), options=options))  # type: ignore[arg-type]
        if result is None:
            yield None
            return
        yield Answer(start, result.meta["size"], _mark(result.meta["e_tag"]), self._pieces(result))

    def close(self) -> None:
        """See `Remote`."""

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _pieces(self, result: obstore.GetResult) -> Iterator[bytes]:
        try:
            for piece in result.stream(min_chunk_size=_CHUNK):
                self._pace.go_on()
                yield bytes(piece)
        except BaseError as error:
            raise ConnectionError(_first_line(error)) from error

    def _ask(self, request: Callable[[], Reply]) -> Reply | None:
        while True:
            self._pace.wait()
            try:
                answer = request()
            except (NotFoundError, FileNotFoundError):
                self._pace.answered()
                return None
            except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
                raise _denied(self._base, _first_line(error)) from error
            except BaseError as error:
                self._pace.slow_down(_first_line(error), None)
                continue
            self._pace.answered()
            return answer


def open_remote(base: ArchiveBase, pace: Pace) -> Remote:
    """Return where an archive is read: a bucket for `s3://…`, else a web server."""
    return S3Remote(base, pace) if base.url.startswith("s3://") else HttpRemote(base, pace)


def _denied(base: ArchiveBase, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{base.label} refused to be read: {reason}.",
        code="archive_denied",
        hint="The reader pays here: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of an account that may.",
    )


def _size(response: httpx.Response) -> int | None:
    told = response.headers.get("Content-Length", "")
    return int(told) if told.isascii() and told.isdigit() else None


def _range(response: httpx.Response) -> tuple[int, int | None]:
    """Return where the content begins and how large the whole is, of an answer to a range."""
    told = response.headers.get("Content-Range", "").removeprefix("bytes ")
    span, _, whole = told.partition("/")
    begin = span.partition("-")[0]
    if not begin.isdigit():
        raise ConnectionError(f"the answer to a range says {told[:40]!r} of where it begins")
    return int(begin), int(whole) if whole.isdigit() else None


def _etag(response: httpx.Response) -> str:
    return _mark(response.headers.get("ETag"))


def _mark(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"').lower()[:200]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]
