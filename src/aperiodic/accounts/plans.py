"""Plans: what an account may read. They are rows of the ledger, so an operator can change them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select, update

from aperiodic.lake.schema import accounts, plans
from aperiodic.market import InvalidInputError
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["FREE", "Plan", "change_plan", "create_plan", "delete_plan", "find_plan", "list_plans"]

FREE: Final = "free"
"""The plan of the demo key and of whoever signs up."""

_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")
_BOUNDS: Final = {"position": (0, 1000), "tier": (0, 3), "live": (0, 10_000), "requests_per_minute": (1, 1_000_000)}


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan.

    Attributes:
        name: Names it: 1 to 32 of the characters a-z, 0-9 and -.
        position: Place in lists, from the smallest plan to the largest; 0 to 1,000.
        tier: Highest tier of datasets that it includes, 0 to 3; 0 for none but the preview.
        sub_minute: Whether it includes intervals shorter than a minute.
        raw: Whether it includes raw ticks.
        live: Live connections at the same time, 0 to 10,000.
        requests_per_minute: Answers a minute that a key may ask for, 1 to 1,000,000.
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


def create_plan(connection: Connection, plan: Plan) -> None:
    """Add a plan.

    Args:
        connection: Open transaction that writes.
        plan: The plan; its name is not taken yet.

    Raises:
        InvalidInputError: `bad_plan` or `plan_exists`.
    """
    _check(plan)
    if any(plan.name == other.name for other in list_plans(connection)):
        raise InvalidInputError(
            f"There is a plan {plan.name} already.",
            code="plan_exists",
            hint=f"Change it with aperiodic plans set {plan.name}, or choose another name.",
        )
    connection.execute(insert(plans).values(asdict(plan)))


def change_plan(connection: Connection, plan: Plan) -> None:
    """Give the plan of that name these attributes; every account that has it is affected at once.

    Args:
        connection: Open transaction that writes.
        plan: The plan as it shall be.

    Raises:
        InvalidInputError: `bad_plan` or `unknown_plan`.
    """
    _check(plan)
    find_plan(connection, plan.name)
    connection.execute(update(plans).where(plans.c.name == plan.name).values(asdict(plan)))


def delete_plan(connection: Connection, name: str) -> None:
    """Remove a plan that no account has.

    Args:
        connection: Open transaction that writes.
        name: Name of the plan; not `FREE`, which the server itself gives out.

    Raises:
        InvalidInputError: `unknown_plan` or `plan_in_use`.
    """
    find_plan(connection, name)
    if name == FREE:
        raise InvalidInputError(
            f"The plan {FREE} cannot be deleted: the demo key and sign-up use it.",
            code="plan_in_use",
            hint=f"Change what it includes instead: aperiodic plans set {FREE}.",
        )
    holder = connection.execute(select(accounts.c.name).where(accounts.c.plan == name).limit(1)).scalar()
    if holder is not None:
        raise InvalidInputError(
            f"The plan {name} is in use, by the account {holder!r} for one.",
            code="plan_in_use",
            hint="Give its accounts another plan first: aperiodic keys set-plan ACCOUNT PLAN.",
        )
    connection.execute(delete(plans).where(plans.c.name == name))


def _check(plan: Plan) -> None:
    if _NAME.fullmatch(plan.name) is None:
        raise InvalidInputError(
            f"{plan.name[:40]!r} cannot be the name of a plan.",
            code="bad_plan",
            hint="Use 1 to 32 of the characters a-z, 0-9 and -.",
        )
    for name, (lowest, highest) in _BOUNDS.items():
        value: int = getattr(plan, name)
        if not lowest <= value <= highest:
            raise InvalidInputError(
                f"{name} of a plan cannot be {value:,}.",
                code="bad_plan",
                hint=f"Give a number from {lowest:,} to {highest:,}.",
            )
