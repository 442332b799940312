"""Real recordings, where they are at hand; see `APERIODIC_REAL_DATA`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recorded market data."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("APERIODIC_REAL_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("no recorded market data here: set APERIODIC_REAL_DATA to its folder")
    return folder
