"""Pages of words: questions and answers, what changed, and how a program should call."""

import re
from functools import cache
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.market import Interval
from aperiodic.server.openapi.llms import EXAMPLES
from aperiodic.server.service import Service
from aperiodic.server.site.rendering import render_page
from aperiodic.server.wheel import changes_text
from aperiodic.venues import all_venues

__all__ = ["changes", "get_changelog", "get_faq", "get_for_agents", "get_roadmap"]

_RELATIVE_LINK: Final = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|/)[^)]*\)")


@cache
def changes() -> str:
    """Return the list of changes in Markdown, without its heading.

    Links into the checkout, which lead nowhere on a site, become plain words.
    """
    text = changes_text()
    return _RELATIVE_LINK.sub(r"\1", text.partition("\n")[2])


@get("/changelog", sync_to_thread=True)
def get_changelog(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with what changed from version to version."""
    return render_page(
        request,
        service,
        "changelog.html",
        title="Changelog",
        description="What changed in Aperiodic, version by version.",
        changes=changes(),
    )


@get("/roadmap", sync_to_thread=False)
def get_roadmap(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with what is to come."""
    return render_page(
        request, service, "roadmap.html", title="Roadmap", description="What comes next, what later, what never."
    )


@get("/faq", sync_to_thread=False)
def get_faq(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with questions and answers."""
    return render_page(
        request,
        service,
        "faq.html",
        title="Questions and answers",
        description="What is real and what is simulated, clocks, gaps, nulls, units, revisions, limits, how to cite.",
        venues=", ".join(venue.label for venue in all_venues()),
        address_limit=service.settings.address_requests_per_minute,
    )


@get("/for-agents", sync_to_thread=False)
def get_for_agents(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with how a language model's program should use this installation."""
    return render_page(
        request,
        service,
        "agents.html",
        title="For AI agents",
        description="Machine-readable descriptions of this service, and how a program should call it.",
        examples=EXAMPLES,
        preview=next(iter(service.settings.preview), None),
        intervals=list(Interval),
    )
