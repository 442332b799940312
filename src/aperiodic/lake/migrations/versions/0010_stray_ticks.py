"""Find ticks that arrived on other days than they are of without reading all of an instrument's history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STRAY = sa.text("(last_local > last_exchange + 86400000000 OR first_local < first_exchange - 86400000000)")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_objects_stray",
        "objects",
        ["exchange", "symbol", "kind"],
        unique=False,
        sqlite_where=_STRAY,
        postgresql_where=_STRAY,
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_objects_stray", table_name="objects")
