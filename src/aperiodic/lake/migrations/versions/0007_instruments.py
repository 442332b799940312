"""What venues say of their instruments, with its history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "instruments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exchange", sa.String(length=32), nullable=False),
        sa.Column("native", sa.String(length=100), nullable=False),
        sa.Column("begins", sa.String(length=16), nullable=False),
        sa.Column("symbol", sa.String(length=100), nullable=False),
        sa.Column("contract_size", sa.String(length=100), nullable=True),
        sa.Column("tick_size", sa.String(length=50), nullable=True),
        sa.Column("lot_size", sa.String(length=50), nullable=True),
        sa.Column("listed_from", sa.BigInteger(), nullable=True),
        sa.Column("delisted_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
    )
    op.create_index("ix_instruments_native", "instruments", ["exchange", "native", "valid_from"], unique=True)


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("instruments")
