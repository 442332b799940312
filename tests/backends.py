"""Every kind of installation: objects in a folder or a bucket, the ledger in SQLite or PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.postgres import PostgresServer
    from tests.s3 import S3Server
    from tests.swift import SwiftServer

BACKENDS: Final = ("folder-sqlite", "folder-postgresql", "s3-sqlite", "s3-postgresql", "swift-sqlite")

_NUMBERS: Final = count(1)
_SECRET: Final = SecretStr("the same on every host, as docs/server.md says")


@dataclass(frozen=True)
class Backend:
    """Makes new installations of one kind.

    Attributes:
        name: One of `BACKENDS`.
        request: Of the fixture; starts the servers that this kind needs, and no others.
        folder: Where the installations may lie.
    """

    name: str
    request: pytest.FixtureRequest
    folder: Path

    def new(self) -> ServerSettings:
        """Return the settings of an installation that does not exist yet."""
        number = next(_NUMBERS)
        store, ledger = self.name.split("-")
        values: dict[str, object] = {"home": self.folder / f"host-{number}", "secret": _SECRET}
        if store != "folder":
            server: S3Server | SwiftServer = self.request.getfixturevalue(store)
            values["store"] = server.url(f"installation-{number}")
        if ledger == "postgresql":
            postgres: PostgresServer = self.request.getfixturevalue("postgres")
            values["ledger"] = postgres.new_database()
        return ServerSettings.model_validate(values)
