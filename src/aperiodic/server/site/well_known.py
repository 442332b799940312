"""What programs look for at fixed addresses: robots.txt, a map of the site, and the icon."""

from typing import Any, Final
from xml.sax.saxutils import escape

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS
from aperiodic.server.links.signing import origin_of
from aperiodic.server.service import Service
from aperiodic.server.site.assets import assets
from aperiodic.server.site.families import FAMILIES
from aperiodic.server.site.navigation import FOOTER, NAVIGATION
from aperiodic.server.site.notebooks.model import NOTEBOOKS

__all__ = ["WELL_KNOWN", "get_icon", "get_robots", "get_sitemap", "page_paths"]

_KEPT: Final = {"Cache-Control": "public, max-age=86400"}
_NO_PAGES: Final = ("/account", "/llms.txt", "/status/incidents.atom")


def page_paths() -> list[str]:
    """Return the path of every page that is worth finding."""
    linked = [path for path, _ in (*NAVIGATION, *(link for _, links in FOOTER for link in links))]
    paths = ["/", *linked]
    paths += [f"/families/{name}" for name in FAMILIES]
    paths += [f"/catalog/{metric}" for metric in DATASETS]
    paths += [f"/notebooks/{name}" for name in NOTEBOOKS]
    return list(dict.fromkeys(path for path in paths if path not in _NO_PAGES))


@get("/robots.txt", sync_to_thread=False)
def get_robots(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[str]:
    """Answer with what crawlers may ask for: pages, and neither data nor the accounts of visitors."""
    lines = ["User-agent: *", "Disallow: /api/", "Disallow: /files/", "Disallow: /site/", "Disallow: /account", ""]
    lines.append(f"Sitemap: {origin_of(request, service.settings.public_url)}/sitemap.xml")
    return Response("\n".join(lines) + "\n", headers=_KEPT, media_type="text/plain")


@get("/sitemap.xml", sync_to_thread=False)
def get_sitemap(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[str]:
    """Answer with the addresses of all pages."""
    origin = origin_of(request, service.settings.public_url)
    urls = "\n".join(f"  <url><loc>{escape(origin + path)}</loc></url>" for path in page_paths())
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}\n</urlset>\n'
    )
    return Response(text, headers=_KEPT, media_type="application/xml")


@get("/favicon.ico", sync_to_thread=False)
def get_icon() -> Response[bytes]:
    """Answer with the icon, for browsers that do not read the page's links to it."""
    return Response(assets()["favicon.ico"].body, headers=_KEPT, media_type="image/x-icon")


WELL_KNOWN: Final = (get_robots, get_sitemap, get_icon)
"""The handlers."""
