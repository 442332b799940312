"""Accounts: who holds keys. A plan belongs to an account, so all its keys rise and fall with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select

from aperiodic.lake.lake import now_us
from aperiodic.lake.schema import accounts
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Account", "Origin", "create_account", "find_account"]

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
        plan: Name of a plan; the caller has checked it.
        origin: How it comes to be.

    Raises:
        InvalidInputError: `bad_account` or `account_exists`.
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
    connection.execute(insert(accounts).values(name=name, plan=plan, origin=origin, created_at=now_us()))
    made = connection.execute(select(accounts).where(accounts.c.name == name)).mappings().one()
    return Account(**made)


def find_account(connection: Connection, name: str) -> Account | None:
    """Return the account of that name, or None."""
    found = connection.execute(select(accounts).where(accounts.c.name == name)).mappings().one_or_none()
    return None if found is None else Account(**found)
