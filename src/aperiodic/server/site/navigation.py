"""Where the site's links lead."""

from __future__ import annotations

from typing import Final

__all__ = ["DATA_MENU", "FOOTER", "NAVIGATION"]

DATA_MENU: Final = (
    ("/catalog", "Catalog"),
    ("/families/order-flow", "Order Flow"),
    ("/families/l1-l2", "L1 & L2"),
    ("/families/derivatives", "Derivatives"),
    ("/families/market-data", "Market Data"),
)
"""The links of the menu of data at the top of every page: path and words."""

NAVIGATION: Final = (
    ("/catalog", "Catalog"),
    ("/charts", "Charts"),
    ("/api-docs", "API docs"),
    ("/notebooks", "Notebooks"),
    ("/plans", "Plans"),
    ("/status", "Status"),
    ("/get-started", "Get started"),
)
"""The links at the top of every page: path and words."""

FOOTER: Final = (
    (
        "Data",
        (
            ("/catalog", "Catalog"),
            ("/families/order-flow", "Order flow"),
            ("/families/l1-l2", "L1 and L2"),
            ("/families/derivatives", "Derivatives"),
            ("/families/market-data", "Market data"),
            ("/charts", "Charts"),
        ),
    ),
    (
        "Use it",
        (
            ("/get-started", "Get started"),
            ("/api-docs", "API docs"),
            ("/notebooks", "Notebooks"),
            ("/for-agents", "For AI agents"),
            ("/llms.txt", "llms.txt"),
            ("/faq", "FAQ"),
        ),
    ),
    (
        "Service",
        (
            ("/status", "Coverage and status"),
            ("/status/incidents.atom", "Incident feed"),
            ("/plans", "Plans"),
            ("/account", "Account"),
            ("/changelog", "Changelog"),
        ),
    ),
)
"""The links at the bottom of every page, in groups."""
