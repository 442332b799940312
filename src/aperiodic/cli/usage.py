"""`aperiodic usage`: what was issued to whom."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from aperiodic.accounts.accounts import find_account
from aperiodic.accounts.usage import read_usage
from aperiodic.cli.console import out
from aperiodic.cli.installation import open_lake
from aperiodic.cli.parameters import Day, check_range
from aperiodic.market import InvalidInputError

__all__ = ["usage"]

_DAYS = 30


def usage(
    *,
    since: Day | None = None,
    until: Day | None = None,
    account: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Show the requests answered, the links handed out and the bytes behind them, by day, key and endpoint.

    A running server writes its counts every few seconds.

    Args:
        since: First day (UTC); by default 30 days, today included.
        until: Last day (UTC); by default today.
        account: Only the keys of this account.
        as_json: Print a JSON array instead of a table.
    """
    last = until or datetime.now(UTC).date()
    first = since or last - timedelta(days=_DAYS - 1)
    check_range(first, last)
    with open_lake() as lake, lake.engine.connect() as connection:
        if account is not None and find_account(connection, account) is None:
            raise InvalidInputError(
                f"There is no account {account[:100]!r}.",
                code="unknown_account",
                hint="List the keys with their accounts: aperiodic keys list.",
            )
        rows = read_usage(connection, first, last, account)
    if as_json:
        out.print_json(json.dumps([asdict(row) for row in rows]))
        return
    table = Table("Day", "Account", "Key", "Endpoint", box=None)
    for heading in ("Requests", "Files", "Bytes"):
        table.add_column(heading, justify="right")
    for row in rows:
        holder = (escape(row.account), row.public_id) if row.public_id else ("(demo key)", "")
        table.add_row(row.day, *holder, row.endpoint, f"{row.requests:,}", f"{row.files:,}", f"{row.bytes:,}")
    out.print(table if rows else f"Nothing was issued from {first} to {last}.")
