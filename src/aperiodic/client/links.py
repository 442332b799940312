"""The server's answer to a data request: links to files, and what is known to be missing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from aperiodic.client.errors import DownloadError, period_name
from aperiodic.client.rest import bad_response, get_json
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aperiodic.client.request import DataRequest
    from aperiodic.client.transport import Transport

__all__ = ["FileKey", "FileLink", "Links", "Listing", "ask_bars", "by_key", "file_link", "listed_files"]

_LARGEST: Final = (1 << 63) - 1

FileKey = tuple[int, int, int]
"""Year, month and day of a file; day 0 for a whole month, which sorts before the days of that month."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """One file and where to fetch it.

    Attributes:
        key: Which file it is; stays the same when the link is renewed.
        url: Signed address, not to be shown to anyone.
        size: Bytes, or None when the server does not say.
        sha256: Hash of the file in lower-case hexadecimal digits, or None.
        complete: False when the server says that the file lacks part of its period.
        gaps: Number of known gaps.
        source: Where the data came from, such as `simulated`; None when the server does not say.
        rows: Number of rows, or None when the server does not say.
        revision: How often the file was published, or None when the server does not say.
    """

    key: FileKey
    url: str = field(repr=False)
    size: int | None = None
    sha256: str | None = None
    complete: bool = True
    gaps: int = 0
    source: str | None = None
    rows: int | None = None
    revision: int | None = None

    @property
    def day(self) -> int | None:
        """Day of the month, or None when the file holds a whole month."""
        return self.key[2] or None

    @property
    def period(self) -> str:
        """The month or the day that the file holds, as text."""
        return period_name(*self.key[:2], self.day)

    def failed(self, error: Exception, status_code: int | None = None) -> DownloadError:
        """Build the error that names this file."""
        return DownloadError(*self.key[:2], self.day, error, status_code)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one answer, or of several joined.

    Attributes:
        files: By key; no file is in it twice.
        missing: Periods that the server says it has no file for; None when it does not say.
    """

    files: Mapping[FileKey, FileLink]
    missing: tuple[str, ...] | None


class Links:
    """The links of one request; they can be renewed when they expire."""

    def __init__(self, ask: Callable[[], Awaitable[Listing]], listing: Listing) -> None:
        self._ask = ask
        self._listing = listing
        self._renewal = asyncio.Lock()

    @classmethod
    async def ask(cls, ask: Callable[[], Awaitable[Listing]]) -> Self:
        """Ask the server for the links; `ask` is called again when they have to be renewed.

        Raises:
            APIError: The server answered with an error or with something else than links.
            AperiodicDataError: The server could not be reached.
        """
        return cls(ask, await ask())

    @property
    def missing(self) -> tuple[str, ...] | None:
        """Periods that the server says it has no file for; None when it does not say."""
        return self._listing.missing

    def files(self) -> list[FileLink]:
        """All files, in order of time."""
        return [self._listing.files[key] for key in sorted(self._listing.files)]

    def current(self, key: FileKey) -> FileLink:
        """The newest link to a file."""
        return self._listing.files[key]

    async def renew(self, refused: FileLink) -> FileLink:
        """Return a newer link than the refused one; downloads that come here together share one request.

        Raises:
            DownloadError: The server no longer lists the file.
            APIError: As `ask`.
        """
        async with self._renewal:
            if self._listing.files.get(refused.key) is refused:
                # Files that are no longer listed keep their old links, which their downloads find out by themselves.
                renewed = await self._ask()
                self._listing = Listing({**self._listing.files, **renewed.files}, self._listing.missing)
        link = self._listing.files[refused.key]
        if link is refused:
            raise refused.failed(
                AperiodicDataError(
                    "It was withdrawn during the download.", code="file_withdrawn", hint="Send the request again."
                )
            )
        return link


async def ask_bars(transport: Transport, request: DataRequest) -> Listing:
    """Ask for the links of a request for bars; raises as `Links.ask`."""
    body = await get_json(transport, request.url, params=request.params, api_key=request.account.api_key)
    links = [file_link(item, _key(item)) for item in listed_files(body)]
    missing = body.get("missing")
    return Listing(by_key(links), tuple(_period(item) for item in missing) if isinstance(missing, list) else None)


def listed_files(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of an answer's `files`."""
    files = body.get("files")
    if not isinstance(files, list) or not all(isinstance(item, dict) for item in files):
        raise bad_response("The answer lists no files.")
    return files


def by_key(links: Sequence[FileLink]) -> dict[FileKey, FileLink]:
    """Return the links by their keys, each of which may occur once only."""
    found = {link.key: link for link in links}
    if len(found) < len(links):
        raise bad_response("The answer lists a file twice.")
    return found


def file_link(item: Mapping[str, Any], key: FileKey) -> FileLink:
    """Read what an entry says of a file, apart from which file it is."""
    sha256, gaps, source = item.get("sha256"), _gaps(item.get("gaps")), item.get("source")
    return FileLink(
        key=key,
        url=_url(item.get("url")),
        size=_count(item.get("size")),
        sha256=sha256.lower() if isinstance(sha256, str) and sha256 else None,
        complete=item.get("complete", not gaps) is not False,
        gaps=gaps,
        source=source if isinstance(source, str) else None,
        rows=_count(item.get("rows")),
        revision=_count(item.get("revision")),
    )


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _LARGEST else None


def _gaps(gaps: object) -> int:
    """Read a number of gaps, written as such or as a list of them."""
    if isinstance(gaps, list):
        return len(gaps)
    return min(int(gaps), _LARGEST) if isinstance(gaps, int) else 0


def _key(item: dict[str, Any]) -> FileKey:
    year, month, day = item.get("year"), item.get("month"), item.get("day")
    try:
        date(year, month, 1 if day is None else day)  # type: ignore[arg-type]  # checked by the call itself
    except (TypeError, ValueError):
        raise bad_response("The answer lists a file without a valid year and month.") from None
    return year, month, day or 0  # type: ignore[return-value]


def _url(url: object) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    if not isinstance(url, str) or parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise bad_response("The answer holds a link that is not an http or https address.")
    return url


def _period(item: object) -> str:
    """Read a missing period, written as text or with year, month and perhaps day."""
    if isinstance(item, str):
        return item[:10]
    if isinstance(item, dict):
        year, month, day = _key(item)
        return period_name(year, month, day or None)
    raise bad_response("The answer lists a missing period that cannot be read.")
