"""Find what gave way, what was published anew and the newest bars without reading all of history; how far it was pruned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_RETIRED = sa.text("retired_at IS NOT NULL")
_REVISED = sa.text("revision > 1 AND kind = 'bars'")
_NEWEST_SQLITE = sa.text("is_current = 1 AND \"interval\" = '1m'")
_NEWEST_POSTGRESQL = sa.text("is_current AND \"interval\" = '1m'")


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_table(
        "pruned",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_pruned")),
    )
    for name, columns, sqlite, postgresql in (
        ("ix_objects_retired", ["kind", "exchange", "symbol", "retired_at"], _RETIRED, _RETIRED),
        ("ix_objects_revised", ["created_at"], _REVISED, _REVISED),
        ("ix_objects_newest", ["kind", "dataset", "exchange", "last_exchange"], _NEWEST_SQLITE, _NEWEST_POSTGRESQL),
    ):
        op.create_index(name, "objects", columns, unique=False, sqlite_where=sqlite, postgresql_where=postgresql)


def downgrade() -> None:
    """Remove them."""
    for name in ("ix_objects_newest", "ix_objects_revised", "ix_objects_retired"):
        op.drop_index(name, table_name="objects")
    op.drop_table("pruned")
