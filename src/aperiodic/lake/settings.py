"""Settings of an installation, read from the environment and, where given, from flags."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """One typed model for every setting; each is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        home: Folder of the embedded store, ledger, lock and secret.
        store: URL of the object store (`file:///…`, `s3://…`); default `<home>/store`.
        ledger: SQLAlchemy URL of the ledger; default SQLite at `<home>/ledger.sqlite`.
        port: Port that `aperiodic serve` listens on.
        public_url: Scheme and host that links begin with; default: as the request came in.
        secret: Key that signs links and hashes API keys; default: made once and kept in `<home>/secret`.
    """

    model_config = SettingsConfigDict(env_prefix="APERIODIC_", extra="ignore", frozen=True)

    home: Path = Path("aperiodic-data")
    store: str | None = None
    ledger: str | None = None
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+(/[^?#]*)?$")
    secret: SecretStr | None = None

    @property
    def store_url(self) -> str:
        """Where objects are kept."""
        return self.store or (self.home / "store").absolute().as_uri()

    @property
    def ledger_url(self) -> str:
        """Where the ledger is kept."""
        return self.ledger or f"sqlite:///{(self.home / 'ledger.sqlite').absolute()}"
