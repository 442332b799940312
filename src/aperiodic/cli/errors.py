"""Every exception that ends a command, in plain words, and the exit codes.

| code | meaning |
|---|---|
| 0 | done |
| 1 | refused or failed, in whole or in part: what was wrong and what to do is on standard error |
| 2 | the command line could not be understood |
| 69 | `capture` stopped because the venue lists none of the symbols |
| 75 | `capture` could not begin, or was stopped, while the disk was full; what was received before is kept |
| 130 | interrupted with Ctrl-C; what was finished is kept |
| 141 | the reader of the output went away (as after `head`) |

`APERIODIC_DEBUG=1` shows the traceback instead of the words.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BROKEN_PIPE", "DISK_FULL", "FAILED", "INTERRUPTED", "NOT_LISTED", "run_command", "say_error", "translate"]

FAILED: Final = 1
NOT_LISTED: Final = 69
DISK_FULL: Final = 75
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

_SYSTEM: Final = {
    errno.ENOSPC: ("disk_full", "Free some space, then run the command again: what was finished is kept."),
    errno.EDQUOT: ("disk_full", "Free some space, then run the command again: what was finished is kept."),
    errno.EACCES: ("permission_denied", "Let the user that runs this command read and write there."),
    errno.EPERM: ("permission_denied", "Let the user that runs this command read and write there."),
    errno.EROFS: ("read_only", "Mount it so that it can be written, or name another place."),
    errno.EMFILE: ("too_many_files", "Raise the limit of open files (ulimit -n), or use fewer workers."),
    errno.ENFILE: ("too_many_files", "Raise the system's limit of open files."),
    errno.ENOMEM: ("out_of_memory", "Use fewer workers, or give the machine more memory."),
    errno.EIO: ("disk_failed", "Check the disk, then: aperiodic ledger verify --deep"),
}
_SEMAPHORES: Final = "Mount /dev/shm so that it can be written, or compute in this process: aperiodic build --workers 0"

_INSTALL: Final = "Install what a server needs, into the environment that runs this command, from a checkout: pip install -e '.[server]'"

_LIBRARIES: Final = {
    "sqlalchemy.SQLAlchemyError": (
        "The ledger failed",
        "ledger_unavailable",
        "Check APERIODIC_HOME or APERIODIC_LEDGER with: aperiodic doctor",
    ),
    "sqlite3.Error": (
        "The ledger failed",
        "ledger_unavailable",
        "Check APERIODIC_HOME with: aperiodic doctor",
    ),
    "obstore.BaseError": (
        "The store failed",
        "store_unavailable",
        "Check APERIODIC_STORE with: aperiodic doctor",
    ),
    "polars.PolarsError": (
        "A table cannot be read or computed",
        "unreadable_table",
        "If it is one of the store, find it with: aperiodic ledger verify --deep",
    ),
    "zstandard.ZstdError": (
        "Compressed bytes cannot be read",
        "corrupt_file",
        "Fetch the file again.",
    ),
    "concurrent.BrokenExecutor": (
        "A worker process ended all at once, as when the system runs out of memory",
        "worker_lost",
        "Use fewer workers (--workers), then run the command again: what was finished is kept.",
    ),
    "multiprocessing.ProcessError": (
        "A worker process failed",
        "worker_lost",
        "Compute in this process: aperiodic build --workers 0",
    ),
}
"""By the first package and the name of a class: what failed, a code, what to do."""


def run_command(command: Callable[[], object]) -> None:
    """Run a command; whatever it raises becomes words on standard error and an exit code.

    Raises:
        SystemExit: The command did not end well.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name is no reason to fail
    try:
        command()
        sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:
        if os.environ.get("APERIODIC_DEBUG", "") not in {"", "0"}:
            raise
        _end(error)


def translate(error: Exception) -> AperiodicDataError:
    """Return an exception in the words of this package, with the reason that the system or the library gave."""
    if isinstance(error, AperiodicDataError):
        return error
    if isinstance(error, OSError):
        return _system_error(error)
    if isinstance(error, MemoryError):
        return AperiodicDataError("There is not enough memory.", code="out_of_memory", hint=_SYSTEM[errno.ENOMEM][1])
    if isinstance(error, ImportError) and (said := _import_error(error)) is not None:
        return said
    # By name: a command must not load a library only to name its exceptions.
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    for name, (what, code, hint) in _LIBRARIES.items():
        if name in kinds:
            return AperiodicDataError(f"{what}: {_reason(error)}.", code=code, hint=hint)
    return AperiodicDataError(
        f"An unexpected {type(error).__name__} came up: {_reason(error)}.",
        code="unexpected",
        hint="This is a fault of the program. Set APERIODIC_DEBUG=1, run it again and report what it prints.",
    )


def say_error(error: AperiodicDataError, *, heading: str = "error") -> None:
    """Print an error and its hint on standard error."""
    _write(f"{heading}:", error.message, "1;31")
    if error.hint:
        _write("hint:", error.hint, "1")


def _import_error(error: ImportError) -> AperiodicDataError | None:
    """Return what is missing on this machine; None where it is a fault of the program."""
    if "sem_open" in str(error):
        return AperiodicDataError(f"No worker can be started: {error}.", code="no_semaphores", hint=_SEMAPHORES)
    if (error.name or "aperiodic").startswith("aperiodic"):
        return None
    package = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError):
        what = f"This command needs the package {package!r}, which is not installed."
    else:
        what = f"The package {package!r} cannot be loaded: {_reason(error)}."
    return AperiodicDataError(what, code="package_missing", hint=_INSTALL)


def _system_error(error: OSError) -> AperiodicDataError:
    reason = error.strerror or _reason(error)
    place = "" if error.filename is None else f" ({os.fsdecode(error.filename)!r})"
    if error.errno == errno.ENOSYS or "/shm" in place or "/dev/mqueue" in place:
        return AperiodicDataError(f"No worker can be started: {reason}.", code="no_semaphores", hint=_SEMAPHORES)
    code, hint = _SYSTEM.get(
        error.errno or 0, ("system_error", "Remove the cause, then run the command again: what was finished is kept.")
    )
    return AperiodicDataError(f"The system refused: {reason}{place}.", code=code, hint=hint)


def _reason(error: BaseException) -> str:
    """Return what an exception says in one line, without what SQLAlchemy adds for programmers."""
    inner = getattr(error, "orig", None) or error
    lines = str(inner).strip().splitlines()
    return (lines[0].rstrip(".")[:500] if lines else "") or type(inner).__name__


def _end(error: BaseException) -> NoReturn:
    if isinstance(error, BrokenPipeError):
        # Whatever is still buffered must not raise once more when the interpreter ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from None
    if isinstance(error, KeyboardInterrupt):
        sys.stderr.write("Interrupted. What was finished is kept; run the same command to carry on.\n")
        raise SystemExit(INTERRUPTED) from None
    if not isinstance(error, Exception):
        raise error
    say_error(translate(error))
    raise SystemExit(FAILED) from None


def _write(heading: str, text: str, style: str) -> None:
    if sys.stderr.isatty():
        heading = f"\x1b[{style}m{heading}\x1b[0m"
    sys.stderr.write(f"{heading} {text}\n")
