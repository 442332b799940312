"""The web pages: the same catalog, ledger and files as the API, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router
from litestar.di import Provide

from aperiodic.server.site.account import get_account_page
from aperiodic.server.site.api_docs import get_api_docs
from aperiodic.server.site.assets import get_asset
from aperiodic.server.site.catalog import get_catalog_page
from aperiodic.server.site.catalog_state import CatalogState
from aperiodic.server.site.client import get_client_index, get_client_wheel
from aperiodic.server.site.content import get_changelog, get_faq, get_for_agents, get_roadmap
from aperiodic.server.site.dataset import get_dataset_page
from aperiodic.server.site.embed import get_embedded_chart
from aperiodic.server.site.errors import error_page, wants_page
from aperiodic.server.site.explore import get_charts
from aperiodic.server.site.families import get_family
from aperiodic.server.site.feed import get_feed
from aperiodic.server.site.home import get_home, get_started
from aperiodic.server.site.incidents import Incidents
from aperiodic.server.site.known_symbols import KnownSymbols
from aperiodic.server.site.live import LiveBoard, get_live
from aperiodic.server.site.notebooks.pages import get_notebook, get_notebooks
from aperiodic.server.site.plans import get_plans
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.series import get_open_requests, get_series
from aperiodic.server.site.status import get_status
from aperiodic.server.site.symbols import get_symbol_page, get_symbols_page
from aperiodic.server.site.well_known import WELL_KNOWN

if TYPE_CHECKING:
    from aperiodic.server.service import Service

__all__ = ["error_page", "site_router", "wants_page"]


def site_router(service: Service) -> Router:
    """Return the pages of the site as routes."""
    preview_bars = PreviewBars(service.lake, service.settings)
    live_board = LiveBoard(service)
    incidents = Incidents(service.lake.engine)
    known_symbols = KnownSymbols(service.lake.engine)
    catalog_state = CatalogState(service, preview_bars)
    return Router(
        "/",
        route_handlers=[
            get_home,
            get_started,
            get_catalog_page,
            get_dataset_page,
            get_charts,
            get_embedded_chart,
            get_status,
            get_symbols_page,
            get_symbol_page,
            get_feed,
            get_account_page,
            get_api_docs,
            get_family,
            get_plans,
            get_notebooks,
            get_notebook,
            get_changelog,
            get_roadmap,
            get_faq,
            get_for_agents,
            get_asset,
            get_client_index,
            get_client_wheel,
            get_series,
            get_open_requests,
            get_live,
            *WELL_KNOWN,
        ],
        dependencies={
            "preview_bars": Provide(lambda: preview_bars, sync_to_thread=False),
            "live_board": Provide(lambda: live_board, sync_to_thread=False),
            "incidents": Provide(lambda: incidents, sync_to_thread=False),
            "catalog_state": Provide(lambda: catalog_state, sync_to_thread=False),
            "known_symbols": Provide(lambda: known_symbols, sync_to_thread=False),
        },
        include_in_schema=False,
    )
