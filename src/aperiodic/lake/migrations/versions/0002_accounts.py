"""Plans and accounts as data, usage, and when revisions were retired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PLANS = (
    ("free", 0, 0, False, False, 0, 60),
    ("starter", 1, 1, False, False, 0, 300),
    ("pro", 2, 2, False, False, 2, 600),
    ("prime", 3, 3, True, False, 5, 1200),
    ("prime-raw", 4, 3, True, True, 5, 1200),
)
_HISTORY = ["symbol", "period", "dataset", "exchange", "kind", "clock", "interval", "revision"]


def upgrade() -> None:
    """Make the new tables; every key so far gets an account of its own, with the key's plan."""
    plans = op.create_table(
        "plans",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("sub_minute", sa.Boolean(), nullable=False),
        sa.Column("raw", sa.Boolean(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plans")),
    )
    names = ("name", "position", "tier", "sub_minute", "raw", "live", "requests_per_minute")
    op.bulk_insert(plans, [dict(zip(names, plan, strict=True)) for plan in _PLANS])
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.name"], name=op.f("fk_accounts_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "usage",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=16), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "public_id", "endpoint", "dataset", name=op.f("pk_usage")),
    )
    op.execute(
        "INSERT INTO accounts (name, plan, origin, created_at)"
        " SELECT 'key-' || public_id, plan, 'operator', created_at FROM api_keys ORDER BY id"
    )
    with op.batch_alter_table("api_keys") as batch:
        batch.add_column(sa.Column("account_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("scopes", sa.JSON(), nullable=False, server_default='["bars", "raw"]'))
        batch.add_column(sa.Column("last_used_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("replaced_by", sa.String(length=32), nullable=True))
    op.execute("UPDATE api_keys SET account_id = (SELECT id FROM accounts WHERE name = 'key-' || api_keys.public_id)")
    with op.batch_alter_table("api_keys") as batch:
        batch.alter_column("account_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("scopes", existing_type=sa.JSON(), server_default=None)
        batch.create_foreign_key(op.f("fk_api_keys_account_id"), "accounts", ["account_id"], ["id"])
        batch.drop_column("plan")
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], unique=False)
    op.add_column("objects", sa.Column("retired_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_objects_history", "objects", _HISTORY, unique=False)
    # A revision was retired when the next one was made; one without a successor is not known better than that.
    same = " AND ".join(f"later.{name} = objects.{name}" for name in _HISTORY[:-1])
    op.execute(
        "UPDATE objects SET retired_at = COALESCE((SELECT MIN(later.created_at) FROM objects AS later"  # noqa: S608 - constants
        f" WHERE {same} AND later.revision > objects.revision), created_at) WHERE NOT is_current"
    )


def downgrade() -> None:
    """Go back to plans in the program; accounts, usage and scopes are lost."""
    op.drop_index("ix_objects_history", table_name="objects")
    with op.batch_alter_table("objects") as batch:
        batch.drop_column("retired_at")
    op.drop_index(op.f("ix_api_keys_account_id"), table_name="api_keys")
    with op.batch_alter_table("api_keys") as batch:
        batch.add_column(sa.Column("plan", sa.String(length=32), nullable=True))
    op.execute("UPDATE api_keys SET plan = (SELECT plan FROM accounts WHERE accounts.id = api_keys.account_id)")
    with op.batch_alter_table("api_keys") as batch:
        batch.alter_column("plan", existing_type=sa.String(length=32), nullable=False)
        batch.drop_constraint(op.f("fk_api_keys_account_id"), type_="foreignkey")
        for name in ("account_id", "scopes", "last_used_at", "replaced_by"):
            batch.drop_column(name)
    op.drop_table("usage")
    op.drop_table("accounts")
    op.drop_table("plans")
