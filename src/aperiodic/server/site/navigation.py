"""Where the site's links lead."""

from __future__ import annotations

from typing import Final

__all__ = ["FOOTER", "NAVIGATION"]

NAVIGATION: Final = (
    ("/catalog", "Catalog"),
    ("/charts", "Charts"),
    ("/api-docs", "API docs"),
    ("/notebooks", "Notebooks"),
    ("/plans", "Plans"),
    ("/status", "Status"),
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
