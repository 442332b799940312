"""The page of plans, as they are in the ledger of this installation."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.accounts.plans import list_plans
from aperiodic.catalog import DATASETS
from aperiodic.server.service import Service
from aperiodic.server.site.catalog_state import holds_live
from aperiodic.server.site.rendering import render_page
from aperiodic.server.stream.channels import MOST_CHANNELS
from aperiodic.server.stream.connection import MOST_MESSAGES
from aperiodic.server.stream.replay import MOST_ROWS

__all__ = ["get_plans"]


@get("/plans", sync_to_thread=True)
def get_plans(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with the plans."""
    with service.lake.engine.connect() as connection:
        plans = list_plans(connection)
        has_live = holds_live(connection)
    tiers = sorted({declared.tier for declared in DATASETS.values()})
    return render_page(
        request,
        service,
        "plans.html",
        title="Plans",
        description="What each plan of this installation may read, and how to get a key.",
        plans=plans,
        has_live=has_live,
        tiers={tier: [declared for declared in DATASETS.values() if declared.tier == tier] for tier in tiers},
        address_limit=service.settings.address_requests_per_minute,
        signups_per_hour=service.settings.signups_per_hour,
        live_channels=MOST_CHANNELS,
        live_messages=MOST_MESSAGES,
        live_rows=MOST_ROWS,
    )
