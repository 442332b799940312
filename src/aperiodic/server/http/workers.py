"""Several processes that answer on one socket, and the parent that starts, restarts and stops them."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Any, Final

from aperiodic.lake import Lake, LakeError
from aperiodic.server.auth.secret import Secrets
from aperiodic.server.http.process import serve_here

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from aperiodic.server.settings import ServerSettings

__all__ = ["serve_with_workers"]

_STOP_S: Final = 35.0
"""How long workers may take to stop before they are killed; they give requests 25 s."""

_QUICK_DEATHS: Final = 3
"""So many workers in a row that end before they answer are no accident."""


def serve_with_workers(
    settings: ServerSettings, listening: socket.socket, ready: Callable[[], None], workers: int
) -> None:
    """Serve with several processes until SIGINT or SIGTERM; call it from the main thread.

    A worker that dies is replaced. A signal is handed on to all workers, the second one too.

    Args:
        settings: The installation.
        listening: The socket to take connections from.
        ready: Called once when all workers answer.
        workers: How many.

    Raises:
        LakeError: The installation cannot be opened, or `worker_failed`.
    """
    # What is wrong with the installation is told here, and what is made once is made once.
    with closing(Lake.open(settings)):
        Secrets.load(settings)
    _Workers(settings, listening, ready, workers).run()


class _Workers:
    def __init__(
        self, settings: ServerSettings, listening: socket.socket, ready: Callable[[], None], number: int
    ) -> None:
        # Not forked: the libraries of a worker have threads, which would not live on in a copy of this process.
        self._context = get_context("spawn")
        self._settings = settings
        self._listening = listening
        self._ready = ready
        self._number = number
        self._starting: dict[BaseProcess, Connection] = {}
        self._running: list[BaseProcess] = []
        self._signals, self._wake = self._context.Pipe(duplex=False)
        self._failed = 0

    def run(self) -> None:
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for _ in range(self._number):
                self._start()
            told = False
            while not self._signals.poll():
                self._wait()
                if not told and len(self._running) == self._number:
                    told = True
                    self._ready()
        finally:
            self._stop()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _on_signal(self, *_: object) -> None:
        self._wake.send_bytes(b"!")

    def _start(self) -> None:
        told, tell = self._context.Pipe(duplex=False)
        worker = self._context.Process(target=_work, args=(self._settings, self._listening, tell))
        worker.start()
        tell.close()
        self._starting[worker] = told

    def _wait(self) -> None:
        """Wait until a worker answers or ends, or a signal comes."""
        ended: dict[Any, BaseProcess] = {worker.sentinel: worker for worker in (*self._running, *self._starting)}
        answering = {told: worker for worker, told in self._starting.items()}
        for event in connection.wait([self._signals, *ended, *answering]):
            if event in answering and answering[event] in self._starting:
                self._note_start(answering[event])
            elif event in ended and ended[event] in self._running:
                self._running.remove(ended[event])
                self._start()

    def _note_start(self, worker: BaseProcess) -> None:
        told = self._starting.pop(worker)
        try:
            told.recv_bytes()
        except EOFError:
            worker.join()
            self._failed += 1
            if self._failed >= _QUICK_DEATHS:
                raise LakeError(
                    f"A worker of the server ended before it answered, with exit code {worker.exitcode}.",
                    code="worker_failed",
                    hint="Run aperiodic serve with one worker to see why.",
                ) from None
            self._start()
        else:
            self._failed = 0
            self._running.append(worker)
        finally:
            told.close()

    def _stop(self) -> None:
        """Hand the first signal on, and each further one while the workers finish."""
        workers = [*self._running, *self._starting]
        for told in self._starting.values():
            told.close()
        while True:
            for worker in workers:
                if worker.is_alive():
                    worker.terminate()
            while self._signals.poll():
                self._signals.recv_bytes()
            alive = [worker for worker in workers if worker.is_alive()]
            if not alive or not self._wait_for(alive):
                break
        for worker in workers:
            if worker.is_alive():
                worker.kill()
            worker.join()

    def _wait_for(self, workers: list[BaseProcess]) -> bool:
        """Wait for workers to end; return whether another signal came before that."""
        left = list(workers)
        while left:
            events = connection.wait([self._signals, *(worker.sentinel for worker in left)], _STOP_S)
            if self._signals in events:
                return True
            if not events:
                return False
            left = [worker for worker in left if worker.is_alive()]
        return False


def _work(settings: ServerSettings, listening: socket.socket, tell: Connection) -> None:
    """Serve as one of several workers."""
    # A terminal sends SIGINT to parent and children; the parent alone says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_stop_without, args=(parent,), daemon=True).start()

    def ready() -> None:
        tell.send_bytes(b"!")
        tell.close()

    serve_here(settings, listening, ready, interrupts=False)


def _stop_without(parent: Any) -> None:  # noqa: ANN401 - multiprocessing keeps the type to itself
    """Stop serving when the parent is gone, even if it had no time to say so."""
    parent.join()
    signal.raise_signal(signal.SIGTERM)
