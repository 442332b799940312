"""`aperiodic keys`: who may use the API, and as what."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter, Token
from rich.markup import escape
from rich.table import Table

from aperiodic.accounts.accounts import set_plan
from aperiodic.accounts.keys import SCOPES, create_key, list_keys, public_id_of, revoke_key, rotate_key
from aperiodic.cli.console import errors, out, print_line
from aperiodic.cli.installation import Begin, open_lake, read_settings
from aperiodic.cli.parameters import Day
from aperiodic.lake import Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import InvalidInputError
from aperiodic.market.time import now_us, time_at
from aperiodic.server import Secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.accounts.keys import ApiKey
    from aperiodic.lake import Lake

__all__ = ["app", "make_key"]

app = App(name="keys", help="API keys: create, list, rotate, revoke, set-plan. A running server needs no restart.")

_DURATION: Final = re.compile(r"(?P<count>[0-9]{1,4})(?P<unit>[mhd])", re.ASCII)
_HOURS: Final = {"m": 1 / 60, "h": 1.0, "d": 24.0}


def _hours(_type: Any, tokens: Sequence[Token]) -> float:  # noqa: ANN401 - cyclopts' converter signature
    match = _DURATION.fullmatch(tokens[0].value)
    if match is None:
        raise InvalidInputError(
            f"{tokens[0].value[:40]!r} is not a duration.",
            code="bad_duration",
            hint="Write a number and m, h or d, for example 30m, 24h or 7d.",
        )
    return int(match["count"]) * _HOURS[match["unit"]]


@app.command(name="create")
def create(
    *,
    plan: str | None = None,
    account: str | None = None,
    label: str = "",
    expires: Day | None = None,
    scope: tuple[str, ...] = SCOPES,
) -> None:
    """Make a key and print it, alone, on standard output. It is shown this once: only a keyed hash is stored.

    Args:
        plan: Plan of a new account; aperiodic plans list shows them. An account that exists keeps its own.
        account: Who holds the key; by default an account of its own, named after the key.
        label: A note for yourself.
        expires: Last day (UTC) on which it works; by default it does not expire.
        scope: What it is for: bars, raw; by default both. Give it once for each.
    """
    if plan is None and account is None:
        raise InvalidInputError(
            "A key needs a plan, or an account that has one.",
            code="missing_plan",
            hint="Add --plan PLAN for a new account, or --account NAME for one that exists.",
        )
    with open_lake(Begin.IN_A_FOLDER) as lake:
        key = make_key(lake, plan, label, expires, account=account, scopes=scope)
    out.print(key, highlight=False, soft_wrap=True)


@app.command(name="list")
def list_all() -> None:
    """List all keys; their secrets are not known to anyone but their holders."""
    with open_lake(Begin.IN_A_FOLDER) as lake, lake.engine.connect() as connection:
        keys = list_keys(connection)
    headings = ("Public id", "Account", "Plan", "Scopes", "Made", "State", "Last used", "Replaced by", "Label")
    table = Table(*headings, box=None)
    for key in keys:
        table.add_row(
            key.public_id,
            escape(key.account),
            key.plan.name,
            ",".join(key.scopes),
            _moment(key.created_at)[:10],
            _state(key),
            "never" if key.last_used_at is None else _moment(key.last_used_at),
            key.replaced_by or "",
            escape(key.label),
        )
    if keys:
        out.print(table)
    else:
        print_line("There are no keys. Make one: aperiodic keys create --plan prime")


@app.command
def revoke(public_id: str) -> None:
    """Withdraw a key, at once and for good.

    Args:
        public_id: The twelve characters between ap_live_ and the last underscore.
    """
    with open_lake(Begin.IN_A_FOLDER) as lake, begin_write(lake.engine) as connection:
        revoke_key(connection, public_id)
    errors.print(f"Revoked {public_id}.", highlight=False)


@app.command
def rotate(public_id: str, *, overlap: Annotated[float, Parameter(converter=_hours)] = 24.0) -> None:
    """Make the key that takes another's place and print it, alone, on standard output.

    The new key has the account, scopes, label and expiry of the old one.

    Args:
        public_id: The old key.
        overlap: How long the old key goes on working: 30m, 24h, 7d; 0m ends it at once, 7d is the most.
    """
    with open_lake(Begin.IN_A_FOLDER) as lake, begin_write(lake.engine) as connection:
        made = rotate_key(connection, Secrets.load(read_settings(Settings)).pepper, public_id, overlap)
    out.print(made.key, highlight=False, soft_wrap=True)
    errors.print(
        f"{public_id_of(made.key)} takes the place of {public_id}, which works until "
        f"{_moment(made.replaced_expires_at)} UTC.",
        highlight=False,
    )


@app.command(name="set-plan")
def change_plan(holder: str, plan: str) -> None:
    """Give an account another plan; it holds for all its keys from their next request on.

    Args:
        holder: Public id of one of its keys, or its name.
        plan: The plan; aperiodic plans list shows them.
    """
    with open_lake(Begin.IN_A_FOLDER) as lake, begin_write(lake.engine) as connection:
        account = set_plan(connection, holder, plan)
    errors.print(f"{escape(account.name)}: {account.plan} → {plan}", highlight=False)


def make_key(
    lake: Lake,
    plan: str | None,
    label: str,
    expires: date | None = None,
    *,
    account: str | None = None,
    scopes: Sequence[str] = SCOPES,
) -> str:
    """Make a key that is valid through the day `expires`; see `lake.keys.create_key`.

    Raises:
        InvalidInputError: Something in it is not valid.
    """
    end = None if expires is None else datetime.combine(expires + timedelta(days=1), time(), UTC)
    expires_at = None if end is None else int(end.timestamp()) * 1_000_000
    pepper = Secrets.load(read_settings(Settings)).pepper
    with begin_write(lake.engine) as connection:
        return create_key(connection, pepper, plan, label, expires_at, account=account, scopes=scopes)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    return "expired" if key.expired(now_us()) else f"until {_moment(key.expires_at)}"


def _moment(us: int) -> str:
    return f"{time_at(us):%Y-%m-%d %H:%M}"
