"""The installation's secret, and the keys derived from it.

One secret serves two purposes, hashing API keys and signing links. Each uses a key of its own, so that what one
gives away says nothing about the other.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from aperiodic.lake import LakeError

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.lake import Settings

__all__ = ["Secrets"]

_MIN_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys of one installation; never printed.

    Attributes:
        pepper: Key of the hashes of API keys.
        link_key: Key of the signatures of links.
    """

    pepper: bytes = field(repr=False)
    link_key: bytes = field(repr=False)

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Derive the keys from the configured secret, else from `<home>/secret`, which is made when missing.

        Raises:
            LakeError: `weak_secret` when it is shorter than 32 characters, `secret_unavailable` when the file can
                be neither read nor made.
        """
        secret = _from_file(settings.home) if settings.secret is None else settings.secret.get_secret_value()
        if len(secret) < _MIN_LENGTH:
            raise LakeError(
                f"The installation's secret is shorter than {_MIN_LENGTH} characters.",
                code="weak_secret",
                hint="Set APERIODIC_SECRET to a long random text, for example from: openssl rand -hex 32",
            )
        return cls(pepper=_derive(secret, "api-keys"), link_key=_derive(secret, "links"))


def _derive(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), f"aperiodic {purpose} v1".encode(), hashlib.sha256).digest()


def _from_file(home: Path) -> str:
    path = home / "secret"
    try:
        if not path.exists():
            _create(path)
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(
            f"The secret at {path} can be neither read nor made: {type(error).__name__}.",
            code="secret_unavailable",
            hint="Check the permissions of APERIODIC_HOME, or set APERIODIC_SECRET.",
        ) from error


def _create(path: Path) -> None:
    """Put a new secret in place whole, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
