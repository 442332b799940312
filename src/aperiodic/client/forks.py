"""What a fork leaves behind: threads, and what they held, do not live on in the child.

Polars' threads are such: where they ran before the fork, reading a file would wait for ever. Locks may be held by a
thread that is gone, and connections are the parent's; who owns such things begins anew in the child.
"""

from __future__ import annotations

import os
import re
import weakref
from pathlib import Path
from typing import Final, Protocol

from aperiodic.market import AperiodicDataError

__all__ = ["Owner", "begin_anew_in_child", "note_use", "refuse_after_fork"]

_TASKS: Final = Path("/proc/self/task")
_WORKER: Final = re.compile(r"polars-\d+|tokio-rt-worker")


class Owner(Protocol):
    """Owns what a child must not share with its parent."""

    def begin_anew(self) -> object:
        """Replace all of it; called in a child, where nothing else runs yet.

        Returns:
            What is the parent's. It is kept, for to let it go would be to close it, in an event loop of the parent.
        """
        ...


_owners: Final[weakref.WeakSet[Owner]] = weakref.WeakSet()
_of_parent: Final[list[object]] = []


def begin_anew_in_child(owner: Owner) -> None:
    """Have an owner begin anew in each child that is forked while it lives."""
    _owners.add(owner)


class _State:
    """What is known of this process.

    Attributes:
        used: The client had Polars read something.
        threads_before_fork: Polars' threads ran when the fork was made.
        forked: This process is a child of such a fork.
    """

    used = False
    threads_before_fork = False
    forked = False


def note_use() -> None:
    """Remember that Polars is put to use in this process."""
    _State.used = True


def refuse_after_fork() -> None:
    """Refuse to read frames in a process in which that would never end.

    Raises:
        AperiodicDataError: `forked_process`.
    """
    if _State.forked:
        raise AperiodicDataError(
            "This process was forked when Polars was in use already, and would wait for ever for threads that it does "
            "not have.",
            code="forked_process",
            hint='Start processes with "spawn", for example multiprocessing.get_context("spawn").Pool().',
        )


def _threads_run() -> bool:
    try:
        names = [(task / "comm").read_text(encoding="utf-8", errors="replace") for task in _TASKS.iterdir()]
    except OSError:  # not Linux, or a thread has just ended
        return _State.used
    return _State.used or any(_WORKER.match(name) for name in names)


def _before() -> None:
    _State.threads_before_fork = _threads_run()


def _in_child() -> None:
    _State.forked = _State.forked or _State.threads_before_fork
    _of_parent.extend([owner.begin_anew() for owner in list(_owners)])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_in_child)
