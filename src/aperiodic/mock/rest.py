"""REST, as far as all venues answer alike: refusals, weight, pages instead of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.mock.connection import Answer

if TYPE_CHECKING:
    from aperiodic.mock.connection import Query
    from aperiodic.mock.venue import VenueServer

__all__ = ["Reply", "Rest"]

_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>Just a moment</title></head><body>Checking your browser</body></html>"
)


class Reply(NamedTuple):
    """An answer.

    Attributes:
        body: What it says.
        status: HTTP status.
        number: Number of the book that it tells; None where it tells none.
        is_old: Whether that book is one of an earlier time, by a fault.
    """

    body: bytes
    status: int = 200
    number: int | None = None
    is_old: bool = False


class Rest:
    """Answers the REST requests of one venue."""

    def __init__(self, server: VenueServer) -> None:
        self.server = server

    async def answer(self, query: Query) -> Answer:
        """Answer, and log what was answered."""
        weight = self.weight(query)
        answer, number, why = await self._answer(query, weight)
        used = self.server.weights.used
        keys = {"url": query.target, "status": answer.status, "weight": weight, "used": used}
        if why:
            keys["why"] = why
        if query.body:
            keys["body"] = query.body.decode("utf-8", "replace")[:200]
        if number is not None:
            keys["number"] = number
        self.server.truth.event("rest", self.server.exchange, **keys)
        return answer

    def weight(self, query: Query) -> int:
        """Return what a request costs."""
        raise NotImplementedError

    async def reply(self, query: Query) -> Reply:
        """Return the answer itself."""
        raise NotImplementedError

    def limited(self, query: Query, weight: int) -> Answer | None:
        """Return the answer to one who asks too much; None when it is not too much."""
        raise NotImplementedError

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer."""
        return {}

    async def _answer(self, query: Query, weight: int) -> tuple[Answer, int | None, str]:
        """Return an answer, the number of the book in it, and what is wrong with it by a fault."""
        refused = self.server.trouble.refusal() or self.limited(query, weight)
        if refused is not None:
            return refused, None, "refused"
        if self.server.trouble.use_up("html"):
            return Answer(200, _PAGE, type="text/html"), None, "html"
        reply = await self.reply(query)
        return Answer(reply.status, reply.body, self.headers()), reply.number, "old_snapshot" if reply.is_old else ""
