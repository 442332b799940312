"""Which executor a command means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aperiodic.engine.executors.as_needed import AsNeeded
from aperiodic.engine.executors.in_process import InProcess
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from aperiodic.engine.executors.seam import Executor

__all__ = ["executor_of"]

_RAY: Final = re.compile(r"ray(://[^\s/,]{1,255})?")


def executor_of(on: str, store_url: str, workers: int) -> Executor:
    """Return what runs tasks.

    Args:
        on: `processes` of this machine; `ray` for the Ray cluster that it is a node of; `ray://host:port` for another.
        store_url: Where tasks read and write.
        workers: Processes on this machine; 0 runs tasks in this one, as few tasks are always.

    Raises:
        InvalidInputError: `unknown_executor`.
        LakeError: The cluster cannot be used; see `OnRay`.
    """
    if on == "processes":
        return AsNeeded(store_url, workers) if workers else InProcess(store_url)
    if not _RAY.fullmatch(on):
        raise InvalidInputError(
            f"Nothing runs tasks that is called {on[:100]!r}.",
            code="unknown_executor",
            hint="Choose processes, ray, or ray://host:port.",
        )
    from aperiodic.engine.executors.on_ray import OnRay  # noqa: PLC0415 - its package is an extra

    return OnRay(store_url, on)
