"""How far recordings have been read into ticks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "checkpoints",
        sa.Column("exchange", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.String(length=150), nullable=False),
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("warm_segment", sa.String(length=255), nullable=False),
        sa.Column("warm_offset", sa.BigInteger(), nullable=False),
        sa.Column("last_received", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("exchange", "shard", name=op.f("pk_checkpoints")),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("checkpoints")
