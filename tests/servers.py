"""A real server in a process of its own, over a lake that a test has filled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

import aperiodic
from aperiodic.accounts.keys import create_key
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.server import Secrets
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

_RUN = """
from aperiodic.server.settings import ServerSettings
from aperiodic.server import serve
serve(ServerSettings(), "127.0.0.1", 0, lambda url: print(url, flush=True))
"""


@dataclass(frozen=True)
class Api:
    """Address of a running server, and a key of the largest plan."""

    url: str
    key: str

    def metrics(self, metric: Any, **parameters: Any) -> pl.DataFrame:
        """Fetch a dataset through the SDK; gaps and missing days are what these tests are made of."""
        frame: pl.DataFrame = aperiodic.get_metrics(
            self.key, metric=metric, base_url=self.url, show_progress=False, on_incomplete="ignore", **parameters
        )
        return frame


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which a program finds these settings."""
    plain = settings.model_dump(mode="json", exclude_unset=True)
    for name in plain:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            plain[name] = value.get_secret_value()
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in plain.items()}
    return os.environ | {f"APERIODIC_{name.upper()}": value for name, value in values.items()}


def make_key(installation: Path | ServerSettings, plan: str = "prime") -> str:
    """Make a key in an installation, given by its home or by all its settings."""
    settings = _settings(installation)
    lake = Lake.open(settings)
    with begin_write(lake.engine) as connection:
        key = create_key(connection, Secrets.load(settings).pepper, plan, "test")
    lake.close()
    return key


@contextmanager
def serving(installation: Path | ServerSettings) -> Iterator[Api]:
    """Serve an installation, given by its home or by all its settings, on a free port of this host."""
    key = make_key(installation)
    environment = environment_of(_settings(installation))
    process = subprocess.Popen([sys.executable, "-c", _RUN], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            yield Api(f"{process.stdout.readline().strip()}/api/v1", key)
        finally:
            process.terminate()


def _settings(installation: Path | ServerSettings) -> ServerSettings:
    return installation if isinstance(installation, ServerSettings) else ServerSettings(home=installation)
