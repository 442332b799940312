"""Usage: what was issued to each key on each UTC day, added up in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite

from aperiodic.lake.schema import accounts, api_keys, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from sqlalchemy import Connection, Label, Table

__all__ = ["Issued", "UsageDay", "UsageKey", "UsageSum", "account_usage", "add_usage", "read_usage"]

_INSERTS: Final[Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class UsageKey(NamedTuple):
    """What is counted apart.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        public_id: Key that asked; empty for the demo key.
        endpoint: What kind of answer: `data`, `preview`, `raw`, `raw-preview` or `metadata`.
        dataset: Which dataset; empty where there is none.
    """

    day: str
    public_id: str
    endpoint: str
    dataset: str


class Issued(NamedTuple):
    """How much was issued.

    Attributes:
        requests: Requests answered.
        files: Links handed out.
        size: Bytes behind these links, whether or not they were fetched.
    """

    requests: int
    files: int
    size: int

    def plus(self, other: Issued) -> Issued:
        """Return both together."""
        return Issued(self.requests + other.requests, self.files + other.files, self.size + other.size)


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What a key was issued by one kind of endpoint on a day, all datasets together.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        account: Name of the account; empty for the demo key.
        public_id: The key; empty for the demo key.
        endpoint: What kind of answer.
        requests: Requests answered.
        files: Links handed out.
        bytes: Bytes behind these links.
    """

    day: str
    account: str
    public_id: str
    endpoint: str
    requests: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class UsageDay:
    """What an account was issued on a day, all keys, endpoints and datasets together.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        requests: Answers.
        files: Links in them.
        bytes: Size of the files behind the links.
    """

    day: str
    requests: int
    files: int
    bytes: int


def add_usage(connection: Connection, counts: Mapping[UsageKey, Issued]) -> None:
    """Add counts to what the ledger has; servers that do so at the same time add up.

    Args:
        connection: Open transaction that writes.
        counts: What was issued since the last time.
    """
    if not counts:
        return
    statement = _INSERTS[connection.dialect.name](usage)
    added = {name: usage.c[name] + statement.excluded[name] for name in ("requests", "files", "bytes")}
    upsert = statement.on_conflict_do_update(index_elements=[*usage.primary_key], set_=added)
    # In one order, so that two servers that write at the same time do not wait for each other's rows.
    rows = [
        {**key._asdict(), "requests": issued.requests, "files": issued.files, "bytes": issued.size}
        for key, issued in sorted(counts.items())
    ]
    connection.execute(upsert, rows)


def read_usage(connection: Connection, since: date, until: date, account: str | None = None) -> list[UsageSum]:
    """Return what was issued, by day, account, key and endpoint, in that order.

    Args:
        connection: Open connection.
        since: First UTC day.
        until: Last UTC day, included.
        account: Only the keys of this account.
    """
    by = (usage.c.day, accounts.c.name.label("account"), usage.c.public_id, usage.c.endpoint)
    keys = usage.outerjoin(api_keys, usage.c.public_id == api_keys.c.public_id).outerjoin(accounts)
    query = (
        select(*by, *_sums())
        .select_from(keys)
        .where(usage.c.day.between(since.isoformat(), until.isoformat()))
        .group_by(*by)
    )
    if account is not None:
        query = query.where(accounts.c.name == account)
    rows = connection.execute(query).mappings()
    found = [UsageSum(**{**row, "account": row["account"] or ""}) for row in rows]
    return sorted(found, key=lambda row: (row.day, row.account, row.public_id, row.endpoint))


def account_usage(connection: Connection, account: str, days: Sequence[date]) -> list[UsageDay]:
    """Return what all keys of an account were issued on the days that have any, ascending.

    Args:
        connection: Open connection.
        account: Name of the account.
        days: UTC days. They are named one by one, since the table's index begins with the day, then the key.
    """
    keys = select(api_keys.c.public_id).join_from(api_keys, accounts).where(accounts.c.name == account)
    query = (
        select(usage.c.day, *_sums())
        .where(usage.c.day.in_([day.isoformat() for day in days]), usage.c.public_id.in_(keys))
        .group_by(usage.c.day)
        .order_by(usage.c.day)
    )
    return [UsageDay(**row) for row in connection.execute(query).mappings()]


def _sums() -> list[Label[int]]:
    # PostgreSQL adds BIGINTs up to a NUMERIC, which the driver would hand over as a Decimal.
    return [cast(func.sum(usage.c[name]), BigInteger).label(name) for name in ("requests", "files", "bytes")]
