"""Tasks on the machines of a Ray cluster.

Nodes have the same version of this package, and see the store under the address that this process has for it: a bucket, or
a folder that all of them mount at the same place. They need neither the ledger nor the secret.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from aperiodic.catalog import DATASETS, Family
from aperiodic.engine.digests import digest
from aperiodic.engine.executors.processes import ENVIRONMENT, TASKS_OF_A_WORKER
from aperiodic.engine.executors.tasks import attempt, run_task
from aperiodic.engine.fingerprints import bars_digest, dataset_digest
from aperiodic.lake import LakeError, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from aperiodic.engine.executors.tasks import Function, Job, Result, Task

__all__ = ["OnRay", "memory_of"]

_HERE: Final = "ray"
_SCHEME: Final = "ray://"
_CLIENT_PORT: Final = 10001
_PATIENCE_S: Final = 5.0
_NO_NODES_S: Final = 300.0
_AHEAD: Final = 2
_RETRIES: Final = 5
_MEMORY_OF_A_WORKER: Final = 600 << 20
_MEMORY_OF_A_BYTE: Final = 12
"""Bytes of memory for a byte of inputs: what is compressed in the store is decoded, sorted and folded."""


class OnRay:
    """Runs jobs on a Ray cluster, each on one processor of any node that has the memory for it.

    A job whose worker or node is lost runs again on another node, up to five times; what it had written is the same
    file, so that nothing is written twice.

    Args:
        store_url: Where tasks read and write.
        address: `ray` for the cluster that this machine is a node of (or RAY_ADDRESS names), `ray://host:port` for one
            that it is not; there the Ray Client server answers, usually at port 10001.
        function: Runs a task; known by name to workers.
    """

    def __init__(self, store_url: str, address: str = _HERE, function: Function = run_task) -> None:
        self._store = Store(store_url)
        self._address = address
        self._function = function
        self._under_way: dict[Any, Job] = {}
        self._slots = 0
        self._largest_node = 0
        self._looked = 0.0
        self._has_nodes = 0.0

    def __enter__(self) -> Self:
        """Join the cluster.

        Raises:
            LakeError: `ray_missing` when the package is not installed, `ray_unavailable` when no cluster answers.
        """
        self._ray = _connect(self._address)
        self._remote = self._ray.remote(
            num_cpus=1, max_retries=_RETRIES, retry_exceptions=False, max_calls=TASKS_OF_A_WORKER
        )(_run)
        self._has_nodes = time.monotonic()
        self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what is under way, and leave the cluster."""
        for reference in self._under_way:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
        self._under_way.clear()
        self._ray.shutdown()

    def has_room(self) -> bool:
        """Whether a processor of the cluster can have a job; nodes may have come or gone meanwhile."""
        return len(self._under_way) < self._slots * _AHEAD

    def begin(self, job: Job) -> None:
        """Hand a job to the cluster."""
        memory = min(memory_of(job.bytes), self._largest_node)
        reference = self._remote.options(memory=memory).remote(self._function, self._store.url, job.task, _engine())
        self._under_way[reference] = job

    def take(self) -> tuple[Job, Result]:
        """Wait for the first job that is done.

        Raises:
            LakeError: `worker_lost` when a job was lost again and again, `store_not_shared` when a node does not see
                the store, `engine_differs` when it has another version of the package; others as the task raised it.
        """
        done: list[Any] = []
        while not done:
            done, _ = self._ray.wait(list(self._under_way), num_returns=1, timeout=_PATIENCE_S)
            self._look()
        job = self._under_way.pop(done[0])
        try:
            result: Result = self._ray.get(done[0])
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, Exception) else error) from None
        except self._ray.exceptions.RayError as error:
            raise LakeError(
                f"A task was lost on {_RETRIES + 1} workers of the Ray cluster: {type(error).__name__}.",
                code="worker_lost",
                hint="What was built stays. See that nodes live and have memory enough, then run the command again.",
            ) from error
        if isinstance(result, LakeError) and result.code == "object_missing" and self._is_here(result.path):
            raise LakeError(
                f"A node of the Ray cluster does not see {result.path}, which is in the store.",
                code="store_not_shared",
                hint="Let APERIODIC_STORE be a bucket, or a folder that every node mounts at the same place.",
            )
        return job, result

    def _look(self) -> None:
        """Count the processors of the cluster, and the memory of its largest node, unless it was done just now."""
        now = time.monotonic()
        if self._slots and now - self._looked < _PATIENCE_S:
            return
        self._looked = now
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        nodes = [node for node in alive if node.get("CPU")]
        self._slots = max(1, int(sum(node["CPU"] for node in nodes)))
        self._largest_node = max((int(node.get("memory", 0)) for node in nodes), default=self._largest_node)
        if nodes:
            self._has_nodes = now
        elif now - self._has_nodes > _NO_NODES_S:
            raise LakeError(
                f"The Ray cluster has had no node with a processor for {_NO_NODES_S:.0f} s.",
                code="ray_unavailable",
                hint="What was built stays. Start nodes with: ray start --address=HEAD:6379. Then run the command again.",
            )

    def _is_here(self, path: str | None) -> bool:
        return path is not None and self._store.exists(path)


def memory_of(size: int) -> int:
    """Return how much memory a task is given whose inputs have so many bytes, bytes."""
    return _MEMORY_OF_A_WORKER + _MEMORY_OF_A_BYTE * size


def _run(function: Function, store_url: str, task: Task, engine: str) -> Result:
    """Run a task on a node, unless bars of its package are others than those that were planned."""
    if engine != _engine():
        raise LakeError(
            "A node of the Ray cluster computes bars by another version of Aperiodic than this machine.",
            code="engine_differs",
            hint="Install the same version on all nodes.",
        )
    return attempt(function, store_url, task)


@cache
def _engine() -> str:
    return digest([*map(bars_digest, Family), *map(dataset_digest, DATASETS.values())])


def _connect(address: str) -> Any:  # noqa: ANN401 - the package is an extra, and its types are not needed
    """Join a cluster and return the package."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: PLC0415 - the package is an extra, and takes seconds
    except ImportError:
        raise LakeError(
            "Building on a Ray cluster needs the package 'ray', which is not installed.",
            code="ray_missing",
            hint="Install with: pip install 'ray[client]'. Without --on the processes of this machine build.",
        ) from None
    if address != _HERE:
        _require_answer(address)
    try:
        with _own_signals():
            ray.init(
                address="auto" if address == _HERE else address,
                ignore_reinit_error=True,
                log_to_driver=False,
                logging_level="error",
                runtime_env={"env_vars": dict(ENVIRONMENT)},
            )
    except (ConnectionError, RuntimeError, TimeoutError, ImportError) as error:
        raise _unavailable(address, type(error).__name__) from error
    return ray


def _require_answer(address: str) -> None:
    """Make sure that something listens, for Ray itself waits for minutes.

    Raises:
        LakeError: `ray_unavailable`.
    """
    host, _, port = address.removeprefix(_SCHEME).rpartition(":")
    if not port.isdigit():
        host, port = address.removeprefix(_SCHEME), str(_CLIENT_PORT)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S):
            pass
    except (OSError, OverflowError) as error:
        raise _unavailable(address, getattr(error, "strerror", None) or type(error).__name__) from error


def _unavailable(address: str, reason: str) -> LakeError:
    if address == _HERE:
        return LakeError(
            f"This machine is no node of a Ray cluster ({reason}).",
            code="ray_unavailable",
            hint="Start one with: ray start --head. Or name another machine: --on ray://host:10001",
        )
    return LakeError(
        f"No Ray cluster answers at {address} ({reason}).",
        code="ray_unavailable",
        hint="Ray's client server listens at port 10001 of the head node; it needs ray[client] there and here.",
    )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does about SIGTERM, which Ray takes over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
