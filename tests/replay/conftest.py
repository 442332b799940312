"""Real recordings, where they are at hand."""

from __future__ import annotations

from tests.real.conftest import real_data

__all__ = ["real_data"]
