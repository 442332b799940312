"""Settings of live rows."""

from __future__ import annotations

from pydantic import Field

from aperiodic.lake.settings import HubSettings

__all__ = ["LiveSettings"]


class LiveSettings(HubSettings):
    """How live rows are made; each setting is the environment variable `APERIODIC_<NAME>`.

    Attributes:
        live_hold_ms: So long a bar of the exchange's clock waits for ticks that come late, after its end, milliseconds.
        live_repair_s: So long after a day was read anew ticks that came late wait until it is read once more, seconds.
    """

    live_hold_ms: int = Field(default=250, ge=0, le=60_000)
    live_repair_s: int = Field(default=600, ge=1, le=86_400)
