"""Runs migrations on the connection that `open_ledger` hands over."""

from __future__ import annotations

from alembic import context

from aperiodic.lake.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
