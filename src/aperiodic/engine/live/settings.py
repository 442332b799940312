"""Settings of live rows."""

from __future__ import annotations

from pydantic import Field

from aperiodic.lake.settings import Settings

__all__ = ["LiveSettings"]


class LiveSettings(Settings):
    """How live rows are made; each setting is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        live_hold_ms: So long a bar of the exchange's clock waits for ticks that come late, after its end, milliseconds.
    """

    live_hold_ms: int = Field(default=250, ge=0, le=60_000)
