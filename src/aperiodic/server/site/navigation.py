"""Where the site's links lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from aperiodic.server.settings import ServerSettings

__all__ = ["DATA_MENU", "FOOTER", "NAVIGATION", "Operator"]

DATA_MENU: Final = (
    ("/catalog", "Catalog"),
    ("/symbols", "Symbols"),
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
            ("/symbols", "Symbols"),
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
            ("/llms.txt", "LLM? Read this."),
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
            ("/roadmap", "Roadmap"),
        ),
    ),
)
"""The links at the bottom of every page, in groups."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the installation, as every page says it.

    Attributes:
        name: Name; empty when it is not told.
        links: A group of the links at the bottom of every page: heading, and path and words of each; none without any.
    """

    name: str
    links: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @classmethod
    def of(cls, settings: ServerSettings) -> Operator:
        """Return what the settings say of the operator."""
        told = (
            (settings.operator_contact, "Contact"),
            (settings.operator_terms, "Terms"),
            (settings.operator_privacy, "Privacy"),
        )
        company = tuple((address, words) for address, words in told if address)
        channels = tuple((address, _place_of(address)) for address in settings.operator_channels if address)
        groups = (("Channels", channels), ("Company", company))
        return cls(settings.operator_name, tuple((heading, links) for heading, links in groups if links))


def _place_of(address: str) -> str:
    """Return what a channel is called: its host, or an e-mail address."""
    return (urlsplit(address).hostname or address.partition(":")[2]).removeprefix("www.")
