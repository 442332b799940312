"""Where archives are reached: as declared, unless a setting says otherwise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aperiodic.venues.archive import ArchiveBase

__all__ = ["read_addresses", "setting_of"]

_PREFIX: Final = "APERIODIC_ARCHIVE_"
_SCHEMES: Final = frozenset({"http", "https", "s3"})


def setting_of(base: ArchiveBase) -> str:
    """Return the environment variable with the address of an archive."""
    return f"{_PREFIX}{base.name.upper()}"


def read_addresses(bases: Iterable[ArchiveBase], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the addresses that stand in for those of some archives, by the archive's name.

    Args:
        bases: The archives.
        environment: Environment variables; by default those of this process.

    Raises:
        InvalidInputError: `bad_setting` when one is not an address.
    """
    told = os.environ if environment is None else environment
    addresses = {}
    for base in bases:
        address = told.get(setting_of(base), "").strip()
        if not address:
            continue
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise InvalidInputError(
                f"The setting {setting_of(base)} is not the address of an archive.",
                code="bad_setting",
                hint="Write https://host/path, or s3://bucket?region=… for a bucket.",
            )
        addresses[base.name] = address
    return addresses
