"""API keys: made once, shown once, and kept only as a keyed hash.

A key reads `ap_live_<public id>_<secret>`. The public id finds the row and may be shown; the secret is 40 random
letters and digits. The ledger holds HMAC-SHA256(pepper, whole key), so that neither a copy of the ledger nor a
change in it yields a key that works.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import String, bindparam, cast, insert, or_, select, update

from aperiodic.accounts.accounts import Origin, account_for, create_account
from aperiodic.accounts.plans import FREE, Plan
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import accounts, api_keys, plans
from aperiodic.market import InvalidInputError
from aperiodic.market.errors import unknown_value
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import BindParameter, Connection

__all__ = [
    "MAX_OVERLAP_HOURS",
    "SCOPES",
    "ApiKey",
    "Rotation",
    "create_key",
    "find_key",
    "list_keys",
    "mark_used",
    "public_id_of",
    "revoke_key",
    "rotate_key",
    "sign_up",
    "verify_key",
]

_PUBLIC_ID_BYTES: Final = 6
_SECRET_LENGTH: Final = 40
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits
_GRAMMAR: Final = re.compile(rf"ap_live_(?P<public_id>[0-9a-f]{{12}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")
_MAX_LABEL: Final = 100
_NO_HASH: Final = "0" * 64
_HOUR_US: Final = 3_600_000_000

SCOPES: Final = ("bars", "raw")
"""What a key can be for, within its account's plan."""

MAX_OVERLAP_HOURS: Final = 168
"""How long a key may go on working beside the one that takes its place: a week."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What the ledger knows of a key; nothing here lets anyone in.

    Attributes:
        public_id: The part of the key that names it.
        account: Name of the account that holds it.
        plan: The account's plan.
        label: A note.
        scopes: What it is for, of `SCOPES`.
        created_at: When it was made, µs.
        expires_at: From when it is no longer valid, µs; None: never.
        revoked_at: When it was withdrawn, µs; None: it was not.
        last_used_at: When it was last used, µs, to within some seconds; None: never.
        replaced_by: Public id of the key that took its place; None: none did.
    """

    public_id: str
    account: str
    plan: Plan
    label: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    replaced_by: str | None

    def expired(self, now: int) -> bool:
        """Whether it is no longer valid at `now`, µs, for its age alone."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key that took another's place.

    Attributes:
        key: The new key, for its holder only.
        expires_at: From when the new key is no longer valid, µs; None: never.
        replaced_expires_at: From when the old key is no longer valid, µs.
    """

    key: str = field(repr=False)
    expires_at: int | None
    replaced_expires_at: int


def create_key(
    connection: Connection,
    pepper: bytes,
    plan: str | None,
    label: str,
    expires_at: int | None = None,
    *,
    account: str | None = None,
    scopes: Sequence[str] = SCOPES,
) -> str:
    """Make a key and return it; it cannot be shown again.

    Args:
        connection: Open transaction that writes.
        pepper: Key of the hash, from the installation's secret.
        plan: Name of the plan of a new account. An existing account keeps its own: None, or the same, is accepted.
        label: A note, at most 100 characters.
        account: Who holds it; one that does not exist is made. None makes one named after the key.
        scopes: What it is for, of `SCOPES`, at least one.
        expires_at: From when it is no longer valid, µs; None: never.

    Raises:
        InvalidInputError: `bad_label`, `bad_expiry`, `bad_scopes`, `unknown_scope`, `bad_account`, `unknown_plan`,
            `missing_plan` or `plan_differs`.
    """
    _check_label(label)
    if expires_at is not None and expires_at <= now_us():
        raise InvalidInputError(
            "A key cannot expire in the past.", code="bad_expiry", hint="Give a later time, or none for a lasting key."
        )
    known = _known(scopes)
    draft = _Draft.of(pepper)
    holder = account_for(connection, account or f"key-{draft.public_id}", plan)
    _add(connection, draft, holder.id, label, known, expires_at)
    return draft.key


def sign_up(connection: Connection, pepper: bytes, label: str) -> str:
    """Make a visitor an account of the plan free, named `signup-<public id>`, and return its first key.

    Args:
        connection: Open transaction that writes.
        pepper: Key of the hash, from the installation's secret.
        label: A note, at most 100 characters.

    Raises:
        InvalidInputError: `bad_label`.
    """
    _check_label(label)
    draft = _Draft.of(pepper)
    holder = create_account(connection, f"signup-{draft.public_id}", FREE, Origin.SIGNUP)
    _add(connection, draft, holder.id, label, SCOPES, None)
    return draft.key


def rotate_key(connection: Connection, pepper: bytes, public_id: str, overlap_hours: float) -> Rotation:
    """Make the key that takes another's place; it cannot be shown again.

    The new key has the account, the scopes, the label and the expiry of the old one, so rotation never lengthens what
    the operator has limited. The old one goes on working for the overlap, or until its own expiry if that is sooner.

    Args:
        connection: Open transaction that writes.
        pepper: Key of the hash, from the installation's secret.
        public_id: Public id of the old key.
        overlap_hours: How long both work, 0 to `MAX_OVERLAP_HOURS`.

    Raises:
        InvalidInputError: `bad_overlap`, `unknown_key`, `key_not_valid` when it is revoked or has expired,
            `already_rotated` when it has been replaced before.
    """
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise InvalidInputError(
            f"Two keys cannot overlap for {overlap_hours:,g} hours.",
            code="bad_overlap",
            hint=f"Give 0 to {MAX_OVERLAP_HOURS} hours.",
        )
    old = _require(connection, public_id)
    now = now_us()
    if old.revoked_at is not None or old.expired(now):
        raise InvalidInputError(
            f"The key {public_id} is no longer valid, so it cannot be rotated.",
            code="key_not_valid",
            hint="Make a new one: aperiodic keys create --account NAME.",
        )
    draft = _Draft.of(pepper)
    end = now + int(overlap_hours * _HOUR_US)
    end = end if old.expires_at is None else min(end, old.expires_at)
    # The condition, not the row read above, decides between two rotations at the same time.
    replaced = connection.execute(
        update(api_keys)
        .where(api_keys.c.public_id == public_id, api_keys.c.replaced_by.is_(None))
        .values(replaced_by=draft.public_id, expires_at=end)
    )
    if replaced.rowcount == 0:
        raise InvalidInputError(
            f"The key {public_id} has been rotated already.",
            code="already_rotated",
            hint="Use the key that took its place; if it was lost, ask the operator for another.",
        )
    account = connection.execute(select(api_keys.c.account_id).where(api_keys.c.public_id == public_id)).scalar_one()
    _add(connection, draft, account, old.label, old.scopes, old.expires_at)
    return Rotation(draft.key, old.expires_at, end)


def public_id_of(key: str) -> str:
    """Return the part of an issued key that names it, and may be shown."""
    return key.split("_")[2]


def find_key(connection: Connection, public_id: str) -> ApiKey | None:
    """Return the key of that public id, or None."""
    row = _find(connection, public_id)
    return None if row is None else _key(row)


def verify_key(connection: Connection, pepper: bytes, key: str) -> ApiKey | None:
    """Return what the ledger knows of a whole key, or None when it was never issued.

    A revoked or expired key is returned too: only its holder learns which it is. The time taken does not tell a
    wrong secret from an unknown public id.
    """
    match = _GRAMMAR.fullmatch(key)
    if match is None:
        return None
    row = _find(connection, match["public_id"])
    same = hmac.compare_digest(_hash(pepper, key), _NO_HASH if row is None else row["secret_hash"])
    return _key(row) if same and row is not None else None


def list_keys(connection: Connection) -> list[ApiKey]:
    """Return all keys in the order they were made, revoked and expired ones included."""
    rows = connection.execute(_KEYS.order_by(api_keys.c.id)).mappings()
    return [_key(row) for row in rows]


def revoke_key(connection: Connection, public_id: str) -> ApiKey:
    """Withdraw a key, at once and for good; withdrawing it again changes nothing.

    Raises:
        InvalidInputError: `unknown_key` when there is none of that public id.
    """
    connection.execute(
        update(api_keys)
        .where(api_keys.c.public_id == public_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now_us())
    )
    return _require(connection, public_id)


def mark_used(connection: Connection, used: Mapping[str, int]) -> None:
    """Record when keys were last used; a time before the one on record changes nothing.

    Args:
        connection: Open transaction that writes.
        used: Time of use, µs, by public id.
    """
    if not used:
        return
    at: BindParameter[int] = bindparam("at")
    statement = (
        update(api_keys)
        .where(
            api_keys.c.public_id == bindparam("used_id"),
            or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < at),
        )
        .values(last_used_at=at)
    )
    # In one order, so that two servers that write at the same time do not wait for each other's rows.
    connection.execute(statement, [{"used_id": public_id, "at": used[public_id]} for public_id in sorted(used)])


@dataclass(frozen=True, slots=True)
class _Draft:
    """A new key: the text for its holder, and what the ledger keeps of it."""

    key: str
    public_id: str
    secret_hash: str

    @classmethod
    def of(cls, pepper: bytes) -> Self:
        public_id = secrets.token_hex(_PUBLIC_ID_BYTES)
        key = f"ap_live_{public_id}_{''.join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))}"
        return cls(key, public_id, _hash(pepper, key))


def _add(
    connection: Connection, draft: _Draft, account: int, label: str, scopes: Sequence[str], expires_at: int | None
) -> None:
    values = {
        "account_id": account,
        "public_id": draft.public_id,
        "secret_hash": draft.secret_hash,
        "label": label,
        "scopes": list(scopes),
        "created_at": now_us(),
        "expires_at": expires_at,
    }
    connection.execute(insert(api_keys).values(values))


def _check_label(label: str) -> None:
    if len(label) > _MAX_LABEL or not label.isprintable():
        raise InvalidInputError(
            f"A label has at most {_MAX_LABEL} printable characters.", code="bad_label", hint="Give a shorter label."
        )


def _known(scopes: Sequence[str]) -> list[str]:
    for scope in scopes:
        if scope not in SCOPES:
            raise unknown_value("scope", scope, SCOPES)
    if not scopes:
        raise InvalidInputError(
            "A key without a scope is good for nothing.", code="bad_scopes", hint=f"Give some of: {', '.join(SCOPES)}."
        )
    return [scope for scope in SCOPES if scope in scopes]


_SCOPES: Final = api_keys.c.scopes
_KEYS: Final = select(
    *(column for column in api_keys.c if column is not _SCOPES),
    cast(_SCOPES, String).label(_SCOPES.name),
    accounts.c.name.label("account"),
    *(column.label(f"plan_{column.name}") for column in plans.c),
).select_from(api_keys.join(accounts).join(plans))
_COLUMNS: Final = tuple(_KEYS.selected_columns.keys())
# Runs for most requests; the index on the public id answers it.
_ONE_KEY: Final = Prepared(_KEYS.where(api_keys.c.public_id == bindparam("public_id")))


def _find(connection: Connection, public_id: str) -> dict[str, Any] | None:
    rows = _ONE_KEY.rows(connection, {"public_id": public_id})
    return dict(zip(_COLUMNS, rows[0], strict=True)) if rows else None


def _require(connection: Connection, public_id: str) -> ApiKey:
    found = find_key(connection, public_id)
    if found is None:
        raise InvalidInputError(
            "There is no key of that public id.",
            code="unknown_key",
            hint="Give the twelve characters between ap_live_ and the last underscore; list the keys to see them.",
        )
    return found


def _key(row: Mapping[Any, Any]) -> ApiKey:
    plan = {name: row[f"plan_{name}"] for name in Plan.__slots__}
    # SQLite has numbers for these two.
    plan |= {name: bool(plan[name]) for name in ("sub_minute", "raw")}
    values = {name: row[name] for name in ApiKey.__slots__ if name != "plan"}
    return ApiKey(**{**values, "plan": Plan(**plan), "scopes": tuple(json.loads(values["scopes"]))})


def _hash(pepper: bytes, key: str) -> str:
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()
