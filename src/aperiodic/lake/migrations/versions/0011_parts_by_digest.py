"""Find out whether a part was appended before without reading all parts of its day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_PARTS = sa.text("kind = 'tick_parts'")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_objects_parts",
        "objects",
        ["sha256"],
        unique=False,
        sqlite_where=_OF_PARTS,
        postgresql_where=_OF_PARTS,
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_objects_parts", table_name="objects")
