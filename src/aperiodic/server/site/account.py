"""A key and its account: `/account`. The page asks the API with the visitor's key, which the site never sees."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.server.service import Service
from aperiodic.server.site.rendering import render_page

__all__ = ["get_account_page"]


@get("/account", sync_to_thread=False)
def get_account_page(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with the page, which is the same for everybody."""
    return render_page(
        request,
        service,
        "account.html",
        title="Account",
        description="See the plan, the limits and the usage of an API key, and rotate it.",
        signups_per_hour=service.settings.signups_per_hour,
    )
