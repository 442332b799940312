"""From a template to an answer: one environment, one set of headers, for every page."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED
from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from aperiodic._version import __version__
from aperiodic.catalog import DATASETS
from aperiodic.lake import LakeError
from aperiodic.market.time import time_at
from aperiodic.server.links.signing import origin_of
from aperiodic.server.middleware.conditional_requests import compressed, is_known, strong_tag
from aperiodic.server.site.assets import asset_url, assets
from aperiodic.server.site.navigation import DATA_MENU, FOOTER, NAVIGATION, Operator
from aperiodic.server.wheel import WHEEL_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar import Request

    from aperiodic.server.service import Service

__all__ = ["content_security_policy", "html_answer", "markdown", "render_page", "source_code"]


def render_page(
    request: Request[Any, Any, Any],
    service: Service,
    template: str,
    *,
    title: str,
    description: str,
    status: int = HTTP_200_OK,
    frame_ancestors: Sequence[str] = (),
    **context: object,
) -> Response[bytes]:
    """Render a page of the site.

    Args:
        request: What is answered.
        service: The installation.
        template: Name of a template, below `templates`.
        title: Title of the page, without the site's name.
        description: One sentence for search engines and previews.
        status: HTTP status.
        frame_ancestors: Sites that may show the page in a frame; none by default.
        **context: What the template needs besides.
    """
    settings = service.settings
    origin = origin_of(request, settings.public_url)
    body = (
        environment()
        .get_template(template)
        .render(
            title=title,
            description=description,
            origin=origin,
            api=f"{origin}/api/v1",
            client_wheel=f"{origin}{WHEEL_PATH}",
            path=request.scope["path"],
            demo_key=settings.demo_key,
            signup_open=settings.signup,
            operator=Operator.of(settings),
            **context,
        )
    )
    return html_answer(request, service, body.encode(), status, frame_ancestors)


def html_answer(
    request: Request[Any, Any, Any],
    service: Service,
    body: bytes,
    status: int = HTTP_200_OK,
    frame_ancestors: Sequence[str] = (),
) -> Response[bytes]:
    """Answer with HTML: compressed where the browser takes that, and only when it does not have it already."""
    tag = f"W/{strong_tag(body)}"
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": content_security_policy(service, frame_ancestors),
        "Cross-Origin-Opener-Policy": "same-origin",
        "ETag": tag,
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "same-origin",
        "Vary": "Accept-Encoding",
    }
    if status == HTTP_200_OK and is_known(request, tag):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(compressed(request, body, headers), status_code=status, headers=headers, media_type="text/html")


def content_security_policy(service: Service, frame_ancestors: Sequence[str] = ()) -> str:
    """Return what a page may load: this host's own files, and data from the hosts of links; and who may frame it."""
    hosts = {_origin(url) for url in service.settings.link_hosts.values()}
    if service.settings.public_url is not None:
        hosts.add(_origin(service.settings.public_url))
    store = service.lake.store
    if store.signs:
        with suppress(LakeError):  # without credentials there are no links to follow either
            hosts.add(_origin(store.sign("any", 1)))
    connect = " ".join(["'self'", *sorted(hosts)])
    framing = " ".join(frame_ancestors) or "'none'"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src {connect}; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
        f"frame-ancestors {framing}"
    )


@cache
def environment() -> Environment:
    """Return the templates' environment; names that a page forgot to give are errors."""
    made = Environment(
        loader=PackageLoader("aperiodic.server.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        asset=asset_url,
        code=source_code,
        data_menu=DATA_MENU,
        datasets=DATASETS,
        footer=FOOTER,
        has_asset=lambda name: name in assets(),
        navigation=NAVIGATION,
        utc=time_at,
        version=__version__,
    )
    made.filters["markdown"] = markdown
    made.filters["inline"] = inline
    return made


def markdown(text: str) -> Markup:
    """Return Markdown as HTML; HTML within it is shown as text."""
    return Markup(_markdown().render(text))  # noqa: S704 - the renderer escapes HTML


def inline(text: str) -> Markup:
    """Return one line of Markdown as HTML without a paragraph around it."""
    return Markup(_markdown().renderInline(text))  # noqa: S704 - the renderer escapes HTML


def source_code(language: str, text: str) -> Markup:
    """Return source code as HTML, its parts marked by classes."""
    return Markup(highlight(text, get_lexer_by_name(language), _FORMATTER))  # noqa: S704 - the highlighter escapes


_FORMATTER: Final = HtmlFormatter(nowrap=True)


@cache
def _markdown() -> MarkdownIt:
    def shown(text: str, language: str, _attributes: str) -> str:
        return str(source_code(language, text)) if language else ""

    return MarkdownIt("commonmark", {"html": False, "highlight": shown}).enable("table")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
