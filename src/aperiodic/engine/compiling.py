"""Compiling the kernels ahead of their use: a fresh installation would otherwise do so in the middle of its work."""

from __future__ import annotations

import hashlib
import signal
import sys
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aperiodic import jit
from aperiodic.catalog import Family
from aperiodic.engine.examples import example_bars
from aperiodic.engine.executors.processes import end_with_parent
from aperiodic.engine.families import datasets_of
from aperiodic.engine.partials.trade_sums import fold_trades
from aperiodic.venues import Levels, book_kernel
from aperiodic.venues.book import Book, Changes, LevelReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

__all__ = ["Compilation", "compile_ahead", "compile_kernels", "compiling"]

_ORDER_BOOK: Final = "order_book"
GROUPS: Final = (*Family, _ORDER_BOOK)
"""What is compiled one after the other: the kernels of a family, and those of order books."""

_HALVES: Final = ((Family.TRADES,), tuple(group for group in GROUPS if group != Family.TRADES))
"""What takes about as long."""

_LOOK_EVERY_S: Final = 0.2


def compile_kernels(groups: Sequence[str] = GROUPS) -> None:
    """Compute a small example of every dataset and keep a small book; what that compiles stays on disk and is found by later processes."""
    for group in groups:
        if group == _ORDER_BOOK:
            Book(Levels([(1.0, 1.0)], [])).apply(Changes.of([(1.0, 2.0)], []))
            LevelReader(b"", b",").read(b"[],[]")
        else:
            for dataset in datasets_of(Family(group)):
                example_bars(dataset)


class Compilation:
    """Compiles in processes of its own, of which two do half each, and remembers on disk that it was done.

    It only saves time: if a process fails, whoever needs a kernel compiles it.

    Attributes:
        total: What there is to compile, in groups; 0 where everything was compiled before, or cannot be kept.
    """

    def __init__(self) -> None:
        self._mark = _mark()
        self.total = 0 if self._mark is None or self._mark.exists() else len(GROUPS)
        if not self.total:
            return
        spawn = get_context("spawn")
        self._done: set[str] = set()
        self._parts: list[tuple[SpawnProcess, Connection]] = []
        for groups in _HALVES if (cpu_count() or 1) > 1 else (GROUPS,):
            told, telling = spawn.Pipe(duplex=False)
            process = spawn.Process(target=_compile, args=(groups, telling), daemon=True)
            process.start()
            telling.close()
            self._parts.append((process, told))

    def wait(self, is_over: Callable[[], bool], tell: Callable[[int, int], object]) -> None:
        """Wait for its end, or until `is_over`, which ends it; `tell` is called with what is done and what there is."""
        if not self.total:
            return
        tell(0, self.total)
        waiting = {told for _, told in self._parts}
        while waiting and not is_over():
            for told in list(waiting):
                try:
                    if told.poll(_LOOK_EVERY_S):
                        self._done.add(told.recv())
                        tell(len(self._done), self.total)
                except EOFError:
                    waiting.discard(told)
        if len(self._done) == self.total and self._mark is not None:
            with suppress(OSError):
                self._mark.touch()
        self.stop()

    def stop(self) -> None:
        """End it; what is compiled is kept."""
        if not self.total:
            return
        self.total = 0
        for process, _ in self._parts:
            process.terminate()
        for process, told in self._parts:
            process.join()
            process.close()
            told.close()


def compile_ahead(is_over: Callable[[], bool], tell: Callable[[int, int], object]) -> None:
    """Compile what was never compiled in this installation, until `is_over`; see `Compilation.wait`."""
    Compilation().wait(is_over, tell)


@contextmanager
def compiling() -> Iterator[None]:
    """Compile while something else is done; wait for it at the end."""
    compilation = Compilation()
    try:
        yield
        compilation.wait(lambda: False, lambda _done, _total: None)
    finally:
        compilation.stop()


def _compile(groups: Sequence[str], telling: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    end_with_parent()
    for group in groups:
        compile_kernels((group,))
        telling.send(group)


def _mark() -> Path | None:
    """Return the file that is there once these kernels are compiled for this machine; None where none are kept."""
    folder = jit.cache_folder(fold_trades)
    if folder is None:
        return None
    digest = hashlib.sha256(repr((sys.version, *jit.compiler())).encode())
    sources = [
        file
        for part in (Path(sys.modules[fold_trades.__module__].__file__ or "").parent, Path(book_kernel.__file__))
        for file in (sorted(part.glob("*.py")) if part.is_dir() else [part])
    ]
    for file in sources:
        # As the cache itself tells whether what it holds is of today.
        found = file.stat()
        digest.update(f"{file} {found.st_mtime_ns} {found.st_size}".encode())
    return folder / f"compiled-{digest.hexdigest()[:16]}"


if __name__ == "__main__":
    compile_ahead(lambda: False, lambda _done, _total: None)
