"""Know the store that belongs to this ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "own_store",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("is_marked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_store")),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("own_store")
