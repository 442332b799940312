"""How things are measured: interleaved pairs, fresh processes, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Pairs", "in_fresh_process", "peak_memory_mb", "processor_seconds", "seconds", "timed_pairs"]

P = ParamSpec("P")
T = TypeVar("T")

_KIB: Final = 1024
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two things measured in turns (A B A B …), so that what else the host does falls on both.

    Attributes:
        ours: Figures of the one.
        theirs: Figures of the other, each taken right after its partner.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> Pairs:
        ours, theirs = zip(*pairs, strict=True)
        return cls(ours, theirs)

    @property
    def cost(self) -> float:
        """How many times theirs is ours: the median over the pairs."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def gain(self) -> float:
        """How many times ours is theirs: the median over the pairs."""
        return median(b / a for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def excess(self) -> float:
        """Ours less theirs: the median over the pairs."""
        return median(a - b for a, b in zip(self.ours, self.theirs, strict=True))


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def processor_seconds(*arguments: str) -> float:
    """How long the processor works on an interpreter that is started with these arguments, and on its children."""
    begin = os.times()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    end = os.times()
    return end.children_user + end.children_system - begin.children_user - begin.children_system


def timed_pairs(ours: Callable[[], object], theirs: Callable[[], object], pairs: int) -> Pairs:
    """Time two things in turns, after one turn that is not counted: it warms caches and loads kernels."""
    ours()
    theirs()
    return Pairs.of((seconds(ours), seconds(theirs)) for _ in range(pairs))


def in_fresh_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module in an interpreter that has done nothing else, and return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB (10^6 bytes).

    Linux's `ru_maxrss` is not used where it can be helped: a process inherits it from the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * _KIB / _MB
    import resource  # noqa: PLC0415 - not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else _KIB) / _MB
