"""Settings of an installation, read from the environment and, where given, from flags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["HubSettings", "Settings"]

_ADDRESSES: Final = re.compile(r"(nats|tls)://[^\s,]{1,500}(,(nats|tls)://[^\s,]{1,500}){0,15}")


class Settings(BaseSettings):
    """Where an installation lies; each setting is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        home: Folder of the embedded store, ledger and secret.
        store: The object store: a folder, or a URL (`file:///…`, `s3://…`); default `<home>/store`.
        ledger: SQLAlchemy URL of the ledger; default SQLite at `<home>/ledger.sqlite`.
        secret: Key that signs links and hashes API keys; default: made once and kept in `<home>/secret`.
        recordings: Where recordings are kept: `store` puts those that are sealed into the store, `disk` leaves them where they are; default: `store` with a bucket, `disk` with a folder.
        recordings_on_disk_days: So long a recording stays on the disk once it is in the store, days; and always until its ticks are committed.
        keep_revisions_days: So long `aperiodic ledger prune` keeps revisions that gave way, days; default: it has to be told.
    """

    model_config = SettingsConfigDict(env_prefix="APERIODIC_", extra="ignore", frozen=True)

    home: Path = Path("aperiodic-data")
    store: str | None = None
    ledger: str | None = None
    secret: SecretStr | None = None
    recordings: Literal["store", "disk"] | None = None
    recordings_on_disk_days: int = Field(default=7, ge=0, le=100_000)
    keep_revisions_days: int | None = Field(default=None, ge=1, le=100_000)

    @property
    def store_url(self) -> str:
        """Where objects are kept."""
        if self.store and "://" in self.store:
            return self.store
        folder = Path(self.store).expanduser() if self.store else self.home / "store"
        return folder.absolute().as_uri()

    @property
    def recordings_in_store(self) -> bool:
        """Whether recordings are put into the store."""
        kind = urlsplit(self.store_url).scheme
        if kind == "memory":  # it does not outlive the process
            return False
        return self.recordings == "store" if self.recordings is not None else kind != "file"

    @property
    def ledger_url(self) -> str:
        """Where the ledger is kept."""
        return self.ledger or f"sqlite:///{(self.home / 'ledger.sqlite').absolute()}"


class HubSettings(Settings):
    """How live rows go from those who make them to the servers; each setting is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        live_hub: Address of a NATS server with JetStream (`nats://…`, `tls://…`), or several with commas between them.
        live_hub_name: What the installation is called there, since several may share a server.
        live_hub_hours: So long NATS keeps live rows, hours.
        live_hub_bytes: So many bytes of live rows it keeps at most.
    """

    live_hub: SecretStr | None = Field(default=None)
    live_hub_name: str = Field(default="aperiodic", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    live_hub_hours: int = Field(default=25, ge=1, le=720)
    live_hub_bytes: int = Field(default=1 << 30, ge=1 << 20)

    @field_validator("live_hub")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not _ADDRESSES.fullmatch(value.get_secret_value()):
            message = "it is nats://host:port or tls://host:port, or several with commas between them"
            raise ValueError(message)
        return value
