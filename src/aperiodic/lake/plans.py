"""Plans: what an account may read. They are rows of the ledger, so an operator can change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from aperiodic.lake.schema import plans
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Plan", "find_plan", "list_plans"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan.

    Attributes:
        name: Names it; lower case.
        position: Place in lists, from the smallest plan to the largest.
        tier: Highest tier of datasets that it includes; 0 for none but the preview.
        sub_minute: Whether it includes intervals shorter than a minute.
        raw: Whether it includes raw ticks.
        live: Live connections at the same time.
        requests_per_minute: Answers a minute that a key may ask for.
    """

    name: str
    position: int
    tier: int
    sub_minute: bool
    raw: bool
    live: int
    requests_per_minute: int


def list_plans(connection: Connection) -> list[Plan]:
    """Return all plans, from the smallest to the largest."""
    rows = connection.execute(select(plans).order_by(plans.c.position, plans.c.name)).mappings()
    return [Plan(**row) for row in rows]


def find_plan(connection: Connection, name: str) -> Plan:
    """Return the plan of that name.

    Raises:
        InvalidInputError: `unknown_plan`, naming the nearest valid one.
    """
    known = {plan.name: plan for plan in list_plans(connection)}
    if name not in known:
        raise unknown_value("plan", name, known)
    return known[name]
