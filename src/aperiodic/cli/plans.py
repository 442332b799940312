"""`aperiodic plans`: what accounts may read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cyclopts import App
from rich.table import Table

from aperiodic.accounts.plans import Plan, find_plan, list_plans
from aperiodic.accounts.plans import change_plan as change_in_ledger
from aperiodic.accounts.plans import create_plan as create_in_ledger
from aperiodic.accounts.plans import delete_plan as delete_in_ledger
from aperiodic.cli.console import errors, out
from aperiodic.cli.installation import Begin, open_lake
from aperiodic.lake.ledger import begin_write

__all__ = ["app"]

app = App(name="plans", help="Plans: list, show, set, create, delete. A running server needs no restart.")


@app.command(name="list")
def list_all() -> None:
    """List all plans, from the smallest to the largest."""
    with open_lake(Begin.IN_A_FOLDER) as lake, lake.engine.connect() as connection:
        out.print(_table(list_plans(connection)))


@app.command
def show(name: str) -> None:
    """Show one plan.

    Args:
        name: The plan.
    """
    with open_lake(Begin.IN_A_FOLDER) as lake, lake.engine.connect() as connection:
        out.print(_table([find_plan(connection, name)]))


@app.command(name="set")
def change(
    name: str,
    *,
    tier: int | None = None,
    sub_minute: bool | None = None,
    raw: bool | None = None,
    live: int | None = None,
    requests_per_minute: int | None = None,
    position: int | None = None,
) -> None:
    """Change a plan, for every account that has it; what is not given stays as it is.

    Args:
        name: The plan.
        tier: Highest tier of metrics that it includes, 0 to 3; 0 for none but the preview.
        sub_minute: Whether it includes intervals shorter than a minute.
        raw: Whether it includes raw ticks.
        live: Live connections at the same time.
        requests_per_minute: Requests a minute that a key may send.
        position: Place in the list, from the smallest plan to the largest.
    """
    given: dict[str, Any] = {
        "tier": tier,
        "sub_minute": sub_minute,
        "raw": raw,
        "live": live,
        "requests_per_minute": requests_per_minute,
        "position": position,
    }
    changes = {attribute: value for attribute, value in given.items() if value is not None}
    with open_lake(Begin.IN_A_FOLDER) as lake, begin_write(lake.engine) as connection:
        plan = replace(find_plan(connection, name), **changes)
        change_in_ledger(connection, plan)
    out.print(_table([plan]))


@app.command
def create(
    name: str,
    *,
    tier: int,
    requests_per_minute: int,
    sub_minute: bool = False,
    raw: bool = False,
    live: int = 0,
    position: int = 100,
) -> None:
    """Make a plan.

    Args:
        name: 1 to 32 of the characters a-z, 0-9 and -.
        tier: Highest tier of metrics that it includes, 0 to 3; 0 for none but the preview.
        requests_per_minute: Requests a minute that a key may send.
        sub_minute: Whether it includes intervals shorter than a minute.
        raw: Whether it includes raw ticks.
        live: Live connections at the same time.
        position: Place in the list, from the smallest plan to the largest.
    """
    plan = Plan(name, position, tier, sub_minute, raw, live, requests_per_minute)
    with open_lake(Begin.IN_A_FOLDER) as lake, begin_write(lake.engine) as connection:
        create_in_ledger(connection, plan)
    out.print(_table([plan]))


@app.command
def delete(name: str) -> None:
    """Remove a plan that no account has.

    Args:
        name: The plan.
    """
    with open_lake(Begin.IN_A_FOLDER) as lake, begin_write(lake.engine) as connection:
        delete_in_ledger(connection, name)
    errors.print(f"Deleted the plan {name}.", highlight=False)


def _table(plans: list[Plan]) -> Table:
    table = Table("Plan", "Tier", "Below a minute", "Raw", "Live", "Requests a minute", "Position", box=None)
    for plan in plans:
        table.add_row(
            plan.name,
            str(plan.tier),
            "yes" if plan.sub_minute else "no",
            "yes" if plan.raw else "no",
            str(plan.live),
            f"{plan.requests_per_minute:,}",
            str(plan.position),
        )
    return table
