"""Asking a venue's REST host: within its weight, obedient to what it says, and written down in the recording."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from aperiodic.capture.sockets import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.capture.recorder import Recorder
    from aperiodic.venues.feed import Feed, Limits, Request

__all__ = ["Answer", "RestClient", "Weight"]

_MOST_WORDS: Final = 200
_LONGEST_BODY: Final = 15 << 20
_TIMEOUT_S: Final = 10.0
_BANNED_S: Final = 120.0
_LIMITED_S: Final = 10.0
_LONGEST_WAIT_S: Final = 4 * 86_400.0
_OK: Final = 200
_FORBIDDEN: Final = 403
_BANNED: Final = 418
_LIMITED: Final = 429
_COUNTRY: Final = 451


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP status; 0 when nothing came.
        body: JSON in one line; empty when there is none.
        asked_ns: When the request was sent, ns.
        local: When the answer was there, ns.
    """

    status: int
    body: bytes
    asked_ns: int
    local: int

    @property
    def is_good(self) -> bool:
        """Whether the venue answered what was asked."""
        return self.status == _OK and bool(self.body)


class Weight:
    """The weight that may be used of one host: windows begin at whole multiples of their length since the epoch.

    Attributes:
        used: Weight used in the present window, as far as is known.
        most: Weight that may be used in one.
        blocked_until: Nothing is asked before this time, seconds since the epoch.
    """

    def __init__(self, limits: Limits, share: float, now: Callable[[], float] = time.time) -> None:
        """Begin with an unused window.

        Args:
            limits: Tells weight and length of a window.
            share: Part of the weight that may be used.
            now: Tells the time, seconds since the epoch.
        """
        self.used = 0
        # Less than the share: an answer that tells the weight can come after the next request was sent.
        self.most = max(1, int(limits.weight * share) - 1)
        self.blocked_until = 0.0
        self._window_s = limits.weight_s
        self._window = -1
        self._now = now

    def take(self, weight: int, *, spare: int = 0) -> float:
        """Take weight if there is so much, and `spare` besides; return how long to wait, seconds, 0 if it was taken."""
        now = self._now()
        if now < self.blocked_until:
            return self.blocked_until - now
        self._turn(now)
        if self.used and self.used + weight + spare > self.most:
            return (self._window + 1) * self._window_s - now + 0.05
        self.used += weight
        return 0.0

    def told(self, used: int | None) -> None:
        """Take what the venue says is used; others behind the same address use it too."""
        self._turn(self._now())
        if used is not None:
            self.used = max(self.used, used)

    def block(self, seconds: float) -> None:
        """Ask nothing for a time."""
        self.blocked_until = max(self.blocked_until, self._now() + min(seconds, _LONGEST_WAIT_S))

    def _turn(self, now: float) -> None:
        window = int(now // self._window_s)
        if window != self._window:
            self._window, self.used = window, 0


class RestClient:
    """Asks the hosts of one venue.

    Attributes:
        weight: What is used.
        asked: Requests sent.
        answered: Answers that came, whatever they said.
        limited: Answers that said that it was too much.
    """

    def __init__(
        self, feed: Feed, hosts: list[str], recorder: Recorder, weight: Weight, say: Callable[[str], object]
    ) -> None:
        """Prepare.

        Args:
            feed: The venue.
            hosts: Addresses to be tried in this order.
            recorder: Gets every answer as a line.
            weight: Kept.
            say: Takes what a person should know.
        """
        self.weight = weight
        self.asked = self.answered = self.limited = 0
        self._feed, self._hosts, self._recorder, self._say = feed, hosts, recorder, say
        self._host = 0
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def ask(self, request: Request, *, spare: int = 0, record: bool = True) -> Answer:
        """Ask once, when the weight allows it; what is wrong is told by the answer.

        Args:
            request: What is asked.
            spare: Weight that must be left over for others.
            record: Whether the answer is written down.
        """
        while (wait := self.weight.take(request.weight, spare=spare)) > 0:  # noqa: ASYNC110 - a clock ends it
            await asyncio.sleep(min(wait, 60.0))
        self.asked += 1
        url = self._hosts[self._host] + request.path
        asked = time.time_ns()
        try:
            status, headers, body = await self._fetch(url, request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._say(f"{url.partition('?')[0]} does not answer: {_reason(error)}")
            self._next_host()
            return Answer(0, b"", asked, time.time_ns())
        local = time.time_ns()
        self.answered += 1
        self.weight.told(self._feed.used_weight(headers))
        line = _one_line(body)
        if record and line:
            where = url if request.body is None else f"{url}#{request.kind}"
            self._recorder.word(local, b"", "rest", line, before=f"{where} {status} ".encode())
        if status != _OK:
            self._obey(status, headers, url)
        elif not line:
            self._say(f"{url.partition('?')[0]} answered with HTTP 200 and no JSON: {body[:60]!r}")
        return Answer(status, line, asked, local)

    async def _fetch(self, url: str, request: Request) -> tuple[int, dict[str, str], bytes]:
        method = "GET" if request.body is None else "POST"
        async with self._client.stream(method, url, content=request.body, headers=dict(request.headers)) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LONGEST_BODY:
                    body.clear()
                    break
            return response.status_code, {name.lower(): text for name, text in response.headers.items()}, bytes(body)

    def _obey(self, status: int, headers: dict[str, str], url: str) -> None:
        told = retry_after_s(headers.get("retry-after"))
        host = url.partition("//")[2].partition("/")[0]
        if status == _LIMITED:
            self.limited += 1
            self.weight.block(_LIMITED_S if told is None else told)
            self._say(f"{host} says that it was asked too often (HTTP 429); asking again in {told or _LIMITED_S:.0f} s")
        elif status == _BANNED:
            self.limited += 1
            self.weight.block(_BANNED_S if told is None else told)
            self._say(
                f"{host} has banned this address (HTTP 418) for {told or _BANNED_S:.0f} s; nothing is asked before"
            )
        elif status == _COUNTRY:
            self._say(f"{host} refuses this country (HTTP 451). {self._feed.geo_hint}")
            self._next_host()
        elif status == _FORBIDDEN:
            self.weight.block(_LIMITED_S if told is None else told)
            self._say(
                f"{host} refuses this address (HTTP 403): a firewall of the venue, or its country. {self._feed.geo_hint}"
            )
            self._next_host()
        else:
            self._say(f"{url.partition('?')[0]} answered with HTTP {status}")
            if told is not None:
                self.weight.block(told)

    def _next_host(self) -> None:
        self._host = (self._host + 1) % len(self._hosts)


def _reason(error: Exception) -> str:
    """Return in words why nothing came."""
    if isinstance(error, httpx.TimeoutException):
        return f"nothing came within {_TIMEOUT_S:.0f} s"
    words = re.sub(r"^\[Errno -?\d+\] ", "", str(error).strip())
    return words[:_MOST_WORDS] or type(error).__name__


def _one_line(body: bytes) -> bytes:
    """Return JSON as it came if it is one line, else without its line breaks; nothing if it is not JSON."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    return msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body
