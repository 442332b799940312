"""When each series was recorded: told by the files imported so far as well as their records allow."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PAD_US: Final = 30_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """Make the table and fill it from recordings: which instruments a file held was not written down."""
    times = ("covers_from", "covers_to", "first_time", "last_time", "quiet")
    table = op.create_table(
        "recorded",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exchange", sa.String(32), nullable=False),
        sa.Column("symbol", sa.String(100), nullable=False),
        sa.Column("stream", sa.String(32), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in times),
        sa.Column("begins", sa.String(32), nullable=False),
        sa.Column("ends", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recorded"),
    )
    op.create_index("ix_recorded_series", "recorded", ["exchange", "symbol", "stream", "covers_to"], unique=False)
    op.create_index("ix_recorded_times", "recorded", ["exchange", "covers_to"], unique=False)
    rows = list(_rows(op.get_bind()))
    if rows:
        op.bulk_insert(table, rows)


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("recorded")


def _rows(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    received: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    files = sa.text(
        "SELECT exchange, first_received, last_received, ticks FROM imports "
        "WHERE source = 'recording' AND first_received IS NOT NULL ORDER BY first_received"
    )
    for exchange, first, last, ticks in connection.execute(files):
        for stream in json.loads(ticks) if isinstance(ticks, str) else ticks:
            joined = received[exchange, stream]
            if joined and first <= joined[-1][1] + 2 * _PAD_US:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
    days = sa.text(
        "SELECT exchange, symbol, dataset, MIN(period), MAX(period) FROM objects "
        "WHERE is_current AND kind = 'ticks' AND source = 'recording' GROUP BY exchange, symbol, dataset"
    )
    for exchange, symbol, stream, first_day, last_day in connection.execute(days).all():
        begin, end = _midnight(first_day), _midnight(last_day, days=1)
        for first, last in received[exchange, stream]:
            if first < end and last >= begin:
                yield {
                    "exchange": exchange,
                    "symbol": symbol,
                    "stream": stream,
                    "covers_from": first - _PAD_US,
                    "covers_to": last + _PAD_US,
                    "first_time": first,
                    "last_time": last,
                    "quiet": 0,
                    "begins": "",
                    "ends": "",
                }


def _midnight(day: str, days: int = 0) -> int:
    at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=days)
    return (at - _EPOCH) // timedelta(microseconds=1)
