"""Where archives are reached: as declared, unless a setting says otherwise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aperiodic.market import InvalidInputError
from aperiodic.market.errors import nearest
from aperiodic.venues import all_venues
from aperiodic.venues.tardis import TARDIS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from aperiodic.venues.archive import ArchiveBase

__all__ = ["read_addresses", "setting_of"]

_PREFIX: Final = "APERIODIC_ARCHIVE_"
_ANY: Final = "BTC-USDT-SWAP"
"""Name of an instrument; all archives of a venue are told by the files of any."""
_SCHEMES: Final = frozenset({"http", "https", "s3"})


def setting_of(base: ArchiveBase) -> str:
    """Return the environment variable with the address of an archive."""
    return f"{_PREFIX}{base.name.upper()}"


def _archives_of_venues() -> Iterator[ArchiveBase]:
    tables = (table for venue in all_venues() for table in venue.archives)
    return (file.base for table in tables for file in table.files(_ANY, table.since))


def read_addresses(bases: Collection[ArchiveBase], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the addresses that stand in for those of some archives, by the archive's name.

    Args:
        bases: The archives.
        environment: Environment variables; by default those of this process.

    Raises:
        InvalidInputError: `bad_setting` when one is not an address, or belongs to no archive.
    """
    told = os.environ if environment is None else environment
    known = {setting_of(base) for base in (TARDIS, *_archives_of_venues(), *bases)}
    for name in told:
        if name.startswith(_PREFIX) and name not in known:
            guess = nearest(name, known)
            raise InvalidInputError(
                f"The setting {name} is not known: it would change nothing.",
                code="bad_setting",
                hint=f"{f'Did you mean {guess}? ' if guess else ''}Correct or unset this environment variable.",
            )
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
