"""What a key may read: plans as data."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLANS", "Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan.

    Attributes:
        name: As given when a key is made.
        tier: Highest tier of datasets that it includes; 0 for none.
        sub_minute: Whether it includes intervals shorter than a minute.
        raw: Whether it includes raw ticks.
    """

    name: str
    tier: int
    sub_minute: bool = False
    raw: bool = False


PLANS: Final[Mapping[str, Plan]] = MappingProxyType(
    {
        declared.name: declared
        for declared in (
            Plan("free", tier=0),
            Plan("starter", tier=1),
            Plan("pro", tier=2),
            Plan("prime", tier=3, sub_minute=True),
            Plan("prime-raw", tier=3, sub_minute=True, raw=True),
        )
    }
)
"""Every plan by name, from the smallest to the largest."""


def plan(name: str) -> Plan:
    """Return the plan of that name.

    Raises:
        InvalidInputError: `unknown_plan`, naming the nearest valid one.
    """
    try:
        return PLANS[name]
    except KeyError:
        raise unknown_value("plan", name, PLANS) from None
