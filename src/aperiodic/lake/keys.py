"""API keys: made once, shown once, and kept only as a keyed hash.

A key reads `ap_live_<public id>_<secret>`. The public id finds the row and may be shown; the secret is 40 random
letters and digits. The ledger holds HMAC-SHA256(pepper, whole key), so that neither a copy of the ledger nor a
change in it yields a key that works.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select, update

from aperiodic.lake.accounts import create_account, find_account
from aperiodic.lake.lake import now_us
from aperiodic.lake.schema import accounts, api_keys
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping

__all__ = ["SCOPES", "ApiKey", "create_key", "find_key", "list_keys", "revoke_key", "verify_key"]

_PUBLIC_ID_BYTES: Final = 6
_SECRET_LENGTH: Final = 40
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits
_GRAMMAR: Final = re.compile(rf"ap_live_(?P<public_id>[0-9a-f]{{12}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")
_MAX_LABEL: Final = 100
_NO_HASH: Final = "0" * 64

SCOPES: Final = ("bars", "raw")
"""What a key can be for, within its account's plan."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What the ledger knows of a key; nothing here lets anyone in.

    Attributes:
        public_id: The part of the key that names it.
        account: Name of the account that holds it.
        plan: Name of the account's plan.
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
    plan: str
    label: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    replaced_by: str | None


def create_key(
    connection: Connection,
    pepper: bytes,
    plan: str,
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
        plan: Name of the plan of a new account; the caller has checked it.
        label: A note, at most 100 characters.
        account: Who holds it; one that does not exist is made. None makes one named after the key.
        scopes: What it is for, of `SCOPES`.
        expires_at: From when it is no longer valid, µs; None: never.

    Raises:
        InvalidInputError: `bad_label` or `bad_expiry`.
    """
    if len(label) > _MAX_LABEL or not label.isprintable():
        raise InvalidInputError(
            f"A label has at most {_MAX_LABEL} printable characters.", code="bad_label", hint="Give a shorter label."
        )
    now = now_us()
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError(
            "A key cannot expire in the past.", code="bad_expiry", hint="Give a later time, or none for a lasting key."
        )
    public_id = secrets.token_hex(_PUBLIC_ID_BYTES)
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
    key = f"ap_live_{public_id}_{secret}"
    name = account or f"key-{public_id}"
    holder = find_account(connection, name) or create_account(connection, name, plan)
    values = {
        "account_id": holder.id,
        "public_id": public_id,
        "secret_hash": _hash(pepper, key),
        "label": label,
        "scopes": list(scopes),
        "created_at": now,
        "expires_at": expires_at,
    }
    connection.execute(insert(api_keys).values(values))
    return key


def find_key(connection: Connection, public_id: str) -> ApiKey | None:
    """Return the key of that public id, or None."""
    found = _find(connection, public_id)
    return None if found is None else found[0]


def verify_key(connection: Connection, pepper: bytes, key: str) -> ApiKey | None:
    """Return what the ledger knows of a whole key, or None when it was never issued.

    A revoked or expired key is returned too: only its holder learns which it is. The time taken does not tell a
    wrong secret from an unknown public id.
    """
    match = _GRAMMAR.fullmatch(key)
    if match is None:
        return None
    found = _find(connection, match["public_id"])
    known, stored = (None, _NO_HASH) if found is None else found
    return known if hmac.compare_digest(_hash(pepper, key), stored) else None


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
    revoked = find_key(connection, public_id)
    if revoked is None:
        raise InvalidInputError(
            "There is no key of that public id.",
            code="unknown_key",
            hint="Give the twelve characters between ap_live_ and the last underscore; list the keys to see them.",
        )
    return revoked


_KEYS: Final = select(api_keys, accounts.c.name.label("account"), accounts.c.plan).join_from(api_keys, accounts)


def _find(connection: Connection, public_id: str) -> tuple[ApiKey, str] | None:
    row = connection.execute(_KEYS.where(api_keys.c.public_id == public_id)).mappings().one_or_none()
    return None if row is None else (_key(row), row["secret_hash"])


def _key(row: RowMapping) -> ApiKey:
    values = {name: row[name] for name in ApiKey.__slots__}
    return ApiKey(**{**values, "scopes": tuple(values["scopes"])})


def _hash(pepper: bytes, key: str) -> str:
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()
