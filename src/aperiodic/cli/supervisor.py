"""Parts of a running installation as processes: started, watched, restarted with back-off, and stopped in order."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from aperiodic.cli.errors import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Part", "Supervisor"]

_CHILD: Final = "from aperiodic.cli.supervised import main; main()"
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_SETTLED_S: Final = 60.0
"""A part that has run for so long begins anew with the shortest wait."""

_STARTING_S: Final = 10.0
"""A part that fails within this time of its very first start cannot work: everything is stopped."""

_PATIENCE_S: Final = 20.0
"""So long a part may take to stop; four groups of them stop within the 90 s that systemd gives a service."""
_LAST_LINES: Final = 20


class Part:
    """One process.

    Attributes:
        name: What people call it.
        said: The last line of its standard output, which tells how far it is.
        restarts: How often it was started again.
        exit_code: Of the last end that was not asked for; None before.
        killed: Whether it did not stop when it was asked to, and was killed.
        is_left_out: Whether it had nothing to do and has ended for that.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        state: Callable[[], str] | None = None,
        complain: Callable[[str, str], object] = lambda _name, _line: None,
        nothing_to_do: int | None = None,
        program: Sequence[str] = (sys.executable, "-c", _CHILD),
    ) -> None:
        """Prepare; `start` does the rest.

        Args:
            name: What people call it.
            arguments: Of the command `aperiodic`.
            environment: Variables to set.
            state: Tells how far it is, where its last line does not.
            complain: Takes its name and each line of its standard error.
            nothing_to_do: Exit code by which it says that there is nothing to do for it: the others go on without it.
            program: What is run with these arguments.
        """
        self.name = name
        self.said = ""
        self.restarts = 0
        self.exit_code: int | None = None
        self.killed = False
        self.is_left_out = False
        self._nothing_to_do = nothing_to_do
        self._arguments = [*program, *arguments]
        self._environment = dict(environment or {})
        self._state = state
        self._complain = complain
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []
        self._started = 0.0
        self._wait_s = _FIRST_WAIT_S
        self._again_at = 0.0
        self._ever_settled = False
        self._complaints: deque[str] = deque(maxlen=_LAST_LINES)

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it has ended with an error, by itself or when it was asked to end."""
        return self._process is not None and (self._process.poll() or 0) > 0 and not self.is_left_out

    @property
    def line(self) -> str:
        """What to say of it in one line."""
        if self.is_running:
            told = self._state() if self._state is not None else self.said
            again = f" (restarted {self.restarts} times)" if self.restarts else ""
            return f"{told or 'starting'}{again}"
        if self._process is None:
            return "waits"
        why = _told(self._complaints) or f"exit code {self._process.returncode}"
        if self.is_left_out:
            return f"left out: {why}"
        return f"failed: {why}; starts again in {max(self._again_at - time.monotonic(), 0):.0f} s"

    def start(self) -> None:
        """Start its process."""
        environment = {**os.environ, **self._environment, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - this program, with arguments of its own
            self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            # Ctrl-C is for the supervisor, which stops its parts one after the other.
            start_new_session=True,
        )
        self._started = time.monotonic()
        self._readers = [
            threading.Thread(target=self._read_output, args=(self._process,), daemon=True),
            threading.Thread(target=self._read_complaints, args=(self._process,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def look(self) -> bool:
        """Start it again if it has ended and its time has come; return whether it can never work."""
        process = self._process
        if self.is_left_out:
            return False
        if process is None or process.poll() is None:
            alive = time.monotonic() - self._started
            self._ever_settled |= process is not None and alive > _STARTING_S
            if alive > _SETTLED_S:
                self._wait_s = _FIRST_WAIT_S
            return False
        if process.returncode == self._nothing_to_do:
            self._join()
            self.is_left_out = True
            return False
        if not self._again_at:
            self.exit_code = process.returncode
            if not self._ever_settled and process.returncode > 0:
                self._join()
                return True
            self._again_at = time.monotonic() + self._wait_s
            self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)
        elif time.monotonic() >= self._again_at:
            self._join()
            self._again_at = 0.0
            self.restarts += 1
            self.start()
        return False

    def stop(self) -> int:
        """Ask it to end, wait for that, and return its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._join()
        return process.returncode

    def kill(self) -> None:
        """End it at once, if it runs."""
        process = self._process
        if process is not None and process.poll() is None:
            self.killed = True
            process.kill()
            process.wait()
            self._join()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(timeout=1.0)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _read_output(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with process.stdout:
            for line in process.stdout:
                self.said = line.decode(errors="replace").rstrip()

    def _read_complaints(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        with process.stderr:
            for line in process.stderr:
                text = line.decode(errors="replace").rstrip()
                if text:
                    self._complaints.append(text)
                    self._complain(self.name, text)


def _told(complaints: Sequence[str]) -> str:
    """Return the last error that a part told of, without its hint; else the last line."""
    told = [line for line in complaints if line.startswith("error:")] or list(complaints)
    return told[-1].removeprefix("error: ") if told else ""


class Supervisor:
    """Runs parts, in the order in which they are stopped.

    Attributes:
        groups: Parts; those of a group are stopped together, before those of the next one.
        failed: Exit code of the first part that failed; 0 while none has.
    """

    def __init__(self, groups: Sequence[Sequence[Part]]) -> None:
        self.groups = [list(group) for group in groups]
        self.failed = 0

    @property
    def parts(self) -> list[Part]:
        """All parts."""
        return [part for group in self.groups for part in group]

    def run(
        self,
        over: threading.Event,
        tell: Callable[[list[Part]], object],
        every_s: float = 1.0,
        *,
        stopping: Callable[[], object] = lambda: None,
    ) -> int:
        """Start all parts that do not run, the last ones first, keep them running until `over`, and stop them.

        Args:
            over: Set when it is to end.
            tell: Called with the parts again and again.
            every_s: Time between two calls, seconds.
            stopping: Called before the parts are stopped.

        Returns:
            The exit code of the first part that failed, or 0.

        Raises:
            KeyboardInterrupt: While parts stopped; they were killed.
        """
        try:
            for part in reversed(self.parts):
                if not over.is_set() and not part.is_running:
                    part.start()
            while not over.wait(every_s):
                if self._cannot_go_on():
                    return self.failed
                tell(self.parts)
        finally:
            try:
                stopping()
                self._stop()
            except KeyboardInterrupt:
                for part in self.parts:
                    part.kill()
                raise
        return self.failed

    def _cannot_go_on(self) -> bool:
        """Look after all parts; return whether one can never work, or all of a group have nothing to do."""
        for part in self.parts:
            hopeless = part.look()
            if part.exit_code and not self.failed:
                self.failed = part.exit_code
            if hopeless:
                return True
        if any(group and all(part.is_left_out for part in group) for group in self.groups):
            self.failed = self.failed or FAILED
            return True
        return False

    def _stop(self) -> None:
        for group in self.groups:
            stopping = [threading.Thread(target=self._stop_one, args=(part,)) for part in group]
            for thread in stopping:
                thread.start()
            for thread in stopping:
                thread.join()

    def _stop_one(self, part: Part) -> None:
        ended_before = not part.is_running
        code = part.stop()
        if code > 0 and not ended_before and not self.failed:
            self.failed = code
