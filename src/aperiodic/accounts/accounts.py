"""Accounts: who holds keys. A plan belongs to an account, so all its keys rise and fall with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select, update

from aperiodic.accounts.plans import find_plan
from aperiodic.lake.schema import accounts, api_keys
from aperiodic.market import InvalidInputError
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Account", "Origin", "account_for", "create_account", "find_account", "set_plan"]

_MAX_NAME: Final = 100


class Origin(StrEnum):
    """How an account came to be."""

    OPERATOR = "operator"
    SIGNUP = "signup"


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds keys.

    Attributes:
        id: Row in the ledger.
        name: Unique name.
        plan: Name of its plan.
        origin: How it came to be.
        created_at: When, µs.
    """

    id: int
    name: str
    plan: str
    origin: str
    created_at: int


def create_account(connection: Connection, name: str, plan: str, origin: Origin = Origin.OPERATOR) -> Account:
    """Make an account.

    Args:
        connection: Open transaction that writes.
        name: At most 100 printable characters, not taken yet.
        plan: Name of its plan.
        origin: How it comes to be.

    Raises:
        InvalidInputError: `bad_account`, `account_exists` or `unknown_plan`.
    """
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidInputError(
            f"An account's name has 1 to {_MAX_NAME} printable characters.",
            code="bad_account",
            hint="Give a shorter name.",
        )
    if find_account(connection, name) is not None:
        raise InvalidInputError(
            f"There is an account {name!r} already.", code="account_exists", hint="Choose another name."
        )
    chosen = find_plan(connection, plan)
    connection.execute(insert(accounts).values(name=name, plan=chosen.name, origin=origin, created_at=now_us()))
    made = connection.execute(select(accounts).where(accounts.c.name == name)).mappings().one()
    return Account(**made)


def find_account(connection: Connection, name: str) -> Account | None:
    """Return the account of that name, or None."""
    found = connection.execute(select(accounts).where(accounts.c.name == name)).mappings().one_or_none()
    return None if found is None else Account(**found)


def account_for(connection: Connection, name: str, plan: str | None) -> Account:
    """Return the account of that name, which is made when there is none.

    Args:
        connection: Open transaction that writes.
        name: Name of the account.
        plan: Plan of a new account. An existing one keeps its own: None, or the same, is accepted.

    Raises:
        InvalidInputError: `bad_account` or `unknown_plan`; `missing_plan` when a new account is given none,
            `plan_differs` when an existing one has another.
    """
    held = find_account(connection, name)
    if held is None:
        if plan is None:
            raise InvalidInputError(
                f"There is no account {name[:_MAX_NAME]!r} yet, and no plan is given to make it with.",
                code="missing_plan",
                hint="Add --plan, or check the name: aperiodic keys list.",
            )
        return create_account(connection, name, plan)
    if plan is not None and find_plan(connection, plan).name != held.plan:
        raise InvalidInputError(
            f"The account {name!r} has the plan {held.plan}, not {plan}.",
            code="plan_differs",
            hint=f"Leave out --plan, or change it for all its keys: aperiodic keys set-plan {name!r} {plan}.",
        )
    return held


def set_plan(connection: Connection, holder: str, plan: str) -> Account:
    """Give an account another plan; it holds for all its keys from their next request on.

    Args:
        connection: Open transaction that writes.
        holder: Public id of one of its keys, or its name.
        plan: Name of the plan.

    Returns:
        The account as it was before.

    Raises:
        InvalidInputError: `unknown_plan`, or `unknown_account` when neither a key nor an account is called that.
    """
    chosen = find_plan(connection, plan)
    of_key = select(accounts).join_from(accounts, api_keys).where(api_keys.c.public_id == holder)
    row = connection.execute(of_key).mappings().one_or_none()
    held = find_account(connection, holder) if row is None else Account(**row)
    if held is None:
        raise InvalidInputError(
            f"There is neither a key nor an account called {holder[:_MAX_NAME]!r}.",
            code="unknown_account",
            hint="List the keys with their accounts: aperiodic keys list.",
        )
    connection.execute(update(accounts).where(accounts.c.id == held.id).values(plan=chosen.name))
    return held
