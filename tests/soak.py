"""How long the random tests run: one profile for all of them, longer under `make soak`.

`APERIODIC_SOAK` multiplies the number of examples and kills; `APERIODIC_SOAK_MINUTES` is the time after which no
further test and no further kill begins, so that a soak always ends.
"""

from __future__ import annotations

import os
import time
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = ["SOAK", "load_profile", "time_is_up"]

SOAK: Final = int(os.environ.get("APERIODIC_SOAK", "1"))
"""How many times longer than usual the random tests run."""

_MINUTES: Final = os.environ.get("APERIODIC_SOAK_MINUTES")
_BEGAN: Final = time.monotonic()


def load_profile() -> None:
    """Give every random test the same settings.

    No deadline, for a loaded machine is no fault of the code. Examples are the same in every run, so that a change passes
    or fails for what it is; `make soak` looks for others.
    """
    settings.register_profile(
        "aperiodic",
        deadline=None,
        max_examples=25 * SOAK,
        derandomize=SOAK == 1,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        print_blob=True,
    )
    settings.load_profile("aperiodic")


def time_is_up() -> bool:
    """Whether the time of a soak is used up; never, where none is set."""
    return _MINUTES is not None and time.monotonic() - _BEGAN > 60 * float(_MINUTES)
