"""The incidents as an Atom feed: `/status/incidents.atom`."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid5
from xml.etree import ElementTree as ET

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from aperiodic._version import __version__
from aperiodic.market.time import time_at
from aperiodic.server.api.raw_metadata import HeldTicks
from aperiodic.server.links.signing import origin_of
from aperiodic.server.middleware.conditional_requests import is_known, strong_tag
from aperiodic.server.service import Service
from aperiodic.server.site.incidents import Incident, Incidents

__all__ = ["FEED_PATH", "get_feed", "incident_page"]

FEED_PATH: Final = "/status/incidents.atom"

_ATOM: Final = "http://www.w3.org/2005/Atom"
_UNIT_SEPARATOR: Final = "\x1f"
_KEPT: Final = "public, max-age=60"


@get(FEED_PATH, sync_to_thread=True)
def get_feed(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    held_ticks: NamedDependency[HeldTicks],
    incidents: NamedDependency[Incidents],
) -> Response[bytes]:
    """Answer with the feed."""
    public_url = service.settings.public_url
    origin = origin_of(request, public_url)
    # Not of the header Host: entries keep their ids under whatever name the server is asked.
    body = _feed(incidents.get(held_ticks.get()), origin, uuid5(NAMESPACE_URL, public_url or "aperiodic"))
    tag = strong_tag(body)
    headers = {"ETag": tag, "Cache-Control": _KEPT}
    if is_known(request, tag):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type="application/atom+xml")


def incident_page(incident: Incident) -> str:
    """Return the path of the page that shows the days or the month that an incident is about."""
    named = {"exchange": incident.exchange, "symbol": incident.symbol, "stream": incident.stream}
    query = urlencode({name: value for name, value in named.items() if value is not None}, safe=":")
    return f"/status?{query}#{'revisions' if incident.stream is None else 'days'}"


def _feed(incidents: Sequence[Incident], origin: str, namespace: UUID) -> bytes:
    feed = ET.Element("feed", {"xmlns": _ATOM})
    _add(feed, "title", "Incidents · Aperiodic")
    _add(feed, "subtitle", "Days of ticks that are missing, partial or degraded, and revisions of published months.")
    _add(feed, "id", namespace.urn)
    _add(feed, "updated", _moment(incidents[0].updated_at if incidents else 0))
    _add(feed, "link", rel="self", href=f"{origin}{FEED_PATH}", type="application/atom+xml")
    _add(feed, "link", rel="alternate", href=f"{origin}/status", type="text/html")
    _add(_add(feed, "author"), "name", "Aperiodic")
    _add(feed, "generator", "Aperiodic", version=__version__)
    for incident in incidents:
        entry = _add(feed, "entry")
        _add(entry, "title", incident.title)
        _add(entry, "id", uuid5(namespace, _UNIT_SEPARATOR.join(incident.key)).urn)
        _add(entry, "updated", _moment(incident.updated_at))
        _add(entry, "category", term=incident.kind)
        _add(entry, "link", rel="alternate", href=f"{origin}{incident_page(incident)}", type="text/html")
        _add(entry, "content", "\n".join(incident.lines), type="text")
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    child.text = None if text is None else "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    return child


def _moment(microseconds: int) -> str:
    return f"{time_at(microseconds):%Y-%m-%dT%H:%M:%S.%f}Z"
