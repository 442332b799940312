"""`aperiodic keys`: make, list and revoke API keys."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from cyclopts import App
from rich.markup import escape
from rich.table import Table

from aperiodic.cli.console import errors, out
from aperiodic.cli.installation import open_lake, read_settings
from aperiodic.cli.parameters import Day
from aperiodic.lake.keys import create_key, list_keys, revoke_key
from aperiodic.lake.lake import now_us
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.plans import find_plan
from aperiodic.server import Secrets

if TYPE_CHECKING:
    from datetime import date

    from aperiodic.lake import Lake
    from aperiodic.lake.keys import ApiKey

__all__ = ["app", "make_key"]

app = App(name="keys", help="API keys: make, list, revoke.")


@app.command(name="create")
def create(*, plan: str, label: str = "", expires: Day | None = None) -> None:
    """Make a key and print it, alone, on standard output. It is shown this once: only a keyed hash is stored.

    Args:
        plan: free, starter, pro, prime or prime-raw.
        label: A note for yourself.
        expires: Last day (UTC) on which it works; by default it does not expire.
    """
    with open_lake() as lake:
        key = make_key(lake, plan, label, expires)
    out.print(key, highlight=False, soft_wrap=True)


@app.command(name="list")
def list_all() -> None:
    """List all keys; their secrets are not known to anyone but their holders."""
    with open_lake() as lake, lake.engine.connect() as connection:
        keys = list_keys(connection)
    table = Table("Public id", "Plan", "Made", "State", "Label", box=None)
    for key in keys:
        made = datetime.fromtimestamp(key.created_at / 1e6, UTC).date().isoformat()
        table.add_row(key.public_id, key.plan, made, _state(key), escape(key.label))
    out.print(table if keys else "There are no keys. Make one: aperiodic keys create --plan prime")


@app.command
def revoke(public_id: str) -> None:
    """Withdraw a key, at once and for good.

    Args:
        public_id: The twelve characters between ap_live_ and the last underscore.
    """
    with open_lake() as lake, begin_write(lake.engine) as connection:
        revoke_key(connection, public_id)
    errors.print(f"Revoked {public_id}.", highlight=False)


def make_key(lake: Lake, plan_name: str, label: str, expires: date | None = None) -> str:
    """Make a key of a plan that is valid through the day `expires`.

    Raises:
        InvalidInputError: `unknown_plan`, `bad_label` or `bad_expiry`.
    """
    end = None if expires is None else datetime.combine(expires + timedelta(days=1), time(), UTC)
    expires_at = None if end is None else int(end.timestamp()) * 1_000_000
    with begin_write(lake.engine) as connection:
        chosen = find_plan(connection, plan_name)
        return create_key(connection, Secrets.load(read_settings()).pepper, chosen.name, label, expires_at)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now_us() else "valid"
