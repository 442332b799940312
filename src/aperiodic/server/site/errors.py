"""Errors as pages, for people who follow a link that leads nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from litestar.status_codes import HTTP_404_NOT_FOUND, HTTP_500_INTERNAL_SERVER_ERROR, HTTP_503_SERVICE_UNAVAILABLE

from aperiodic.server.site.rendering import render_page

if TYPE_CHECKING:
    from litestar import Request, Response

    from aperiodic.server.errors import ErrorBody
    from aperiodic.server.service import Service

__all__ = ["error_page", "wants_page"]

_MACHINES: Final = ("/api/", "/files/", "/site/", "/assets/")
"""What is below these paths answers programs, whatever they say they accept."""

_TITLES: Final = {
    HTTP_404_NOT_FOUND: "Page not found",
    HTTP_500_INTERNAL_SERVER_ERROR: "This page failed",
    HTTP_503_SERVICE_UNAVAILABLE: "Not available right now",
}


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Tell whether an error is to be read by a person: a browser asked for a page of the site."""
    path: str = request.scope["path"]
    return "text/html" in request.headers.get("accept", "") and not path.startswith(_MACHINES)


def error_page(request: Request[Any, Any, Any], service: Service, answer: Response[ErrorBody]) -> Response[bytes]:
    """Render an error as a page, with the status and the headers of the answer it stands for."""
    body, status = answer.content, answer.status_code or HTTP_500_INTERNAL_SERVER_ERROR
    # The hint about an unknown path is for programs.
    hint = "Follow one of the links below." if body.code == "unknown_path" else body.hint or ""
    page = render_page(
        request,
        service,
        "message.html",
        title=_TITLES.get(status, "This cannot be shown"),
        description=body.error,
        status=status,
        eyebrow=str(status),
        text=f"{body.error} {hint} The request id is {body.request_id}.",
    )
    page.headers.update({name: value for name, value in answer.headers.items() if name == "Retry-After"})
    return page
