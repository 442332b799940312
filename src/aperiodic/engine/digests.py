"""The digest of texts that stands for what results are computed from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["digest"]


def digest(parts: Iterable[str]) -> str:
    """Return one SHA-256 for a sequence of texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
