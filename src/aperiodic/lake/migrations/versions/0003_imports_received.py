"""Find imported files by when they were received."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_imports_received", "imports", ["exchange", "last_received", "first_received"], unique=False)


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("ix_imports_received", table_name="imports")
