"""Settings of an installation, read from the environment and, where given, from flags."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr  # noqa: TC002 (pydantic reads it)
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Where an installation lies; each setting is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        home: Folder of the embedded store, ledger and secret.
        store: The object store: a folder, or a URL (`file:///…`, `s3://…`); default `<home>/store`.
        ledger: SQLAlchemy URL of the ledger; default SQLite at `<home>/ledger.sqlite`.
        secret: Key that signs links and hashes API keys; default: made once and kept in `<home>/secret`.
    """

    model_config = SettingsConfigDict(env_prefix="APERIODIC_", extra="ignore", frozen=True)

    home: Path = Path("aperiodic-data")
    store: str | None = None
    ledger: str | None = None
    secret: SecretStr | None = None

    @property
    def store_url(self) -> str:
        """Where objects are kept."""
        if self.store and "://" in self.store:
            return self.store
        folder = Path(self.store).expanduser() if self.store else self.home / "store"
        return folder.absolute().as_uri()

    @property
    def ledger_url(self) -> str:
        """Where the ledger is kept."""
        return self.ledger or f"sqlite:///{(self.home / 'ledger.sqlite').absolute()}"
