"""Tables of the ledger. Times are int64 microseconds since the Unix epoch, UTC."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

__all__ = [
    "OF_PARTS",
    "SCHEMA_REVISION",
    "STRAY",
    "accounts",
    "api_keys",
    "archive_files",
    "checkpoints",
    "gaps",
    "imports",
    "instruments",
    "leases",
    "metadata",
    "objects",
    "own_store",
    "plans",
    "pruned",
    "recorded",
    "spans",
    "usage",
]

SCHEMA_REVISION: Final = "0012"
"""The last of `migrations/versions`: what these tables are."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

STRAY: Final = text("(last_local > last_exchange + 86400000000 OR first_local < first_exchange - 86400000000)")
"""Whether an object holds what arrived more than a day, µs, after its last event or before its first."""

OF_PARTS: Final = text("kind = 'tick_parts'")
"""Whether an object is a part of an open day."""

objects: Final = Table(
    "objects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("dataset", String(32), nullable=False),
    Column("exchange", String(32), nullable=False),
    Column("symbol", String(100), nullable=False),
    Column("clock", String(8), nullable=False),
    Column("interval", String(4), nullable=False),
    Column("period", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("path", String(512), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("first_exchange", BigInteger),
    Column("last_exchange", BigInteger),
    Column("first_local", BigInteger),
    Column("last_local", BigInteger),
    Column("source", String(16), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    Index(
        "ix_objects_current",
        *("kind", "exchange", "symbol", "dataset", "clock", "interval", "period"),
        unique=True,
        sqlite_where=text("is_current = 1"),
        postgresql_where=text("is_current"),
    ),
    Index("ix_objects_path", "path"),
    Index("ix_objects_history", "symbol", "period", "dataset", "exchange", "kind", "clock", "interval", "revision"),
    Index(
        "ix_objects_retired",
        *("kind", "exchange", "symbol", "retired_at"),
        sqlite_where=text("retired_at IS NOT NULL"),
        postgresql_where=text("retired_at IS NOT NULL"),
    ),
    Index(
        "ix_objects_revised",
        "created_at",
        sqlite_where=text("revision > 1 AND kind = 'bars'"),
        postgresql_where=text("revision > 1 AND kind = 'bars'"),
    ),
    Index(
        "ix_objects_newest",
        *("kind", "dataset", "exchange", "last_exchange"),
        sqlite_where=text("is_current = 1 AND \"interval\" = '1m'"),
        postgresql_where=text("is_current AND \"interval\" = '1m'"),
    ),
    Index("ix_objects_stray", "exchange", "symbol", "kind", sqlite_where=STRAY, postgresql_where=STRAY),
    Index("ix_objects_parts", "sha256", sqlite_where=OF_PARTS, postgresql_where=OF_PARTS),
)
"""Every revision of every object; the current one of each key is the truth. `retired_at`: since when it is not."""

pruned: Final = Table(
    "pruned",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("before", BigInteger, nullable=False),
)
"""Up to which moment revisions of a kind of objects that gave way were forgotten; see `lake.pruning`."""

imports: Final = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(16), nullable=False),
    Column("exchange", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("first_received", BigInteger),
    Column("last_received", BigInteger),
    Column("ticks", JSON, nullable=False),
    Column("rejected", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    UniqueConstraint("source", "exchange", "sha256"),
    Index("ix_imports_received", "exchange", "last_received", "first_received"),
)
"""Files that have been imported: how many lines, how many ticks of each stream, how many rejected and why."""

archive_files: Final = Table(
    "archive_files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("exchange", String(32), nullable=False),
    Column("symbol", String(100), nullable=False),
    Column("stream", String(32), nullable=False),
    Column("day", String(10), nullable=False),
    Column("archive", String(32), nullable=False),
    Column("path", String(512), nullable=False),
    Column("state", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", String(200), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    UniqueConstraint("exchange", "symbol", "stream", "day", "path"),
)
"""Which files of public archives the ticks of a day were made of, and which of them the archive does not have."""

spans: Final = Table(
    "spans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("exchange", String(32), nullable=False),
    Column("symbol", String(100), nullable=False),
    Column("stream", String(32), nullable=False),
    Column("after_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("first_time", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("begins", String(32), nullable=False),
    Index("ix_spans_series", "exchange", "symbol", "stream"),
)
"""Unbroken runs of a numbered stream: events in (after_sequence, last_sequence]. Gaps lie between them."""

gaps: Final = Table(
    "gaps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("exchange", String(32), nullable=False),
    Column("symbol", String(100), nullable=False),
    Column("stream", String(32), nullable=False),
    Column("after_sequence", BigInteger, nullable=False),
    Column("before_sequence", BigInteger, nullable=False),
    Column("first_time", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("cause", String(32), nullable=False),
    Index("ix_gaps_series", "exchange", "symbol", "stream", "first_time"),
)
"""What is missing between spans: from the last event before the gap to the first after it, exchange time."""

recorded: Final = Table(
    "recorded",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("exchange", String(32), nullable=False),
    Column("symbol", String(100), nullable=False),
    Column("stream", String(32), nullable=False),
    Column("covers_from", BigInteger, nullable=False),
    Column("covers_to", BigInteger, nullable=False),
    Column("first_time", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("quiet", BigInteger, nullable=False),
    Column("begins", String(32), nullable=False),
    Column("ends", String(32), nullable=False),
    Index("ix_recorded_series", "exchange", "symbol", "stream", "covers_to"),
    Index("ix_recorded_times", "exchange", "covers_to"),
)
"""When each series was recorded; see `completeness.recorded`."""

instruments: Final = Table(
    "instruments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("exchange", String(32), nullable=False),
    Column("native", String(100), nullable=False),
    Column("begins", String(16), nullable=False),
    Column("symbol", String(100), nullable=False),
    Column("contract_size", String(100)),
    Column("tick_size", String(50)),
    Column("lot_size", String(50)),
    Column("listed_from", BigInteger),
    Column("delisted_at", BigInteger),
    Column("status", String(16), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Index("ix_instruments_native", "exchange", "native", "valid_from", unique=True),
)
"""What venues said of their instruments, and when it was true; see `lake.instruments`."""

leases: Final = Table(
    "leases",
    metadata,
    Column("exchange", String(32), primary_key=True),
    Column("symbol", String(100), primary_key=True),
    Column("step", String(16), primary_key=True),
    Column("owner", String(500), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""Who may write a series, and until when. `fence` counts the takings; rows stay so that it goes on."""

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("exchange", String(32), primary_key=True),
    Column("shard", String(150), primary_key=True),
    Column("segment", String(255), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("warm_segment", String(255), nullable=False),
    Column("warm_offset", BigInteger, nullable=False),
    Column("last_received", BigInteger, nullable=False),
    Column("state", JSON, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""How far recordings have been read into ticks; see `lake.checkpoints`."""

own_store: Final = Table(
    "own_store",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("is_marked", Boolean, nullable=False),
)
"""The store that belongs to this ledger, one row at most; see `lake.own_store`."""

plans: Final = Table(
    "plans",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("sub_minute", Boolean, nullable=False),
    Column("raw", Boolean, nullable=False),
    Column("live", Integer, nullable=False),
    Column("requests_per_minute", Integer, nullable=False),
)
"""What accounts may read: highest tier of datasets, intervals below a minute, raw ticks, live connections, rate."""

accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("plan", String(32), ForeignKey("plans.name"), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""Who holds keys: made by the operator (`operator`) or by self-service (`signup`)."""

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("secret_hash", String(64), nullable=False),
    Column("label", String(100), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("replaced_by", String(32)),
)
"""API keys. Only a keyed hash of the secret part is kept. `scopes` lists what a key is for, of `SCOPES`."""

usage: Final = Table(
    "usage",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("public_id", String(32), primary_key=True),
    Column("endpoint", String(16), primary_key=True),
    Column("dataset", String(32), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""What was issued on a UTC day: requests answered, links handed out and the bytes behind them."""
