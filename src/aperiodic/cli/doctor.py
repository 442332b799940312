"""`aperiodic doctor`: whether this machine and the installation are fit for work, and what to do where not."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import secrets
import shutil
import stat
import time
from dataclasses import asdict
from importlib import metadata, resources
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from aperiodic._version import __version__
from aperiodic.cli.collecting_checks import captures, hosts, open_days, recordings, uploads
from aperiodic.cli.console import print_line
from aperiodic.cli.errors import FAILED, translate
from aperiodic.cli.findings import Finding
from aperiodic.cli.installation import open_store, prepare, read_settings, require_installation
from aperiodic.lake import Settings
from aperiodic.lake.ledger import begin_write, open_ledger
from aperiodic.lake.objects import newest_made
from aperiodic.lake.own_store import own_store_of
from aperiodic.lake.schema import SCHEMA_REVISION
from aperiodic.lake.settings import HubSettings
from aperiodic.market.time import now_us, time_at
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["doctor"]

_LOW_BYTES: Final = 10 << 30
_NO_BYTES: Final = 1 << 30
_BUSY_S: Final = 5.0
_RELEASED: Final = 1_763_683_200
"""2025-11-21, before the first version: a clock that shows an earlier time is wrong."""
_AHEAD_US: Final = 60_000_000
_SECRET_LENGTH: Final = 32
_LIBRARIES: Final = ("polars", "numba", "sqlalchemy", "obstore", "litestar")
_SITE_FILES: Final = ("charts.js", "htmx.js", "uplot.css")


def doctor(
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    no_hosts: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Check this machine and the installation, and say what to do; exit code 1 if anything is in the way of work.

    A small object is written to the store and removed again; nothing else is changed. The hosts of the exchanges are
    looked up and connected to, and nothing is sent to them.

    Args:
        as_json: Print a JSON array instead of lines.
        no_hosts: Leave the hosts of the exchanges alone.
    """
    checks = [(check, name) for check, name in _CHECKS if not (no_hosts and check is hosts)]
    found = [finding for check, name in checks for finding in _run(check, name)]
    if as_json:
        print_line(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        for finding in found:
            print_line(f"{finding.state:8} {finding.check}: {finding.detail}")
            if finding.hint:
                print_line(f"         → {finding.hint}")
    if any(finding.state == "problem" for finding in found):
        raise SystemExit(FAILED)


def _run(check: Callable[[Settings], Iterator[Finding]], name: str) -> Iterator[Finding]:
    """Run a check; what it cannot look at is a problem as well."""
    try:
        yield from check(read_settings(ServerSettings))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks go on
        said = translate(error)
        yield Finding(name, "problem", said.message, said.hint or "")


def _versions(_settings: Settings) -> Iterator[Finding]:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    yield Finding("versions", "ok", f"aperiodic {__version__}, Python {platform.python_version()}, {libraries}")


def _clock(_settings: Settings) -> Iterator[Finding]:
    now = time.time()
    if now < _RELEASED:
        yield Finding("clock", "problem", f"The clock shows {time_at(now_us()):%Y-%m-%d}.", "Set the clock (NTP).")
    else:
        yield Finding("clock", "ok", f"{time_at(now_us()):%Y-%m-%d %H:%M:%S} UTC")


def _semaphores(_settings: Settings) -> Iterator[Finding]:
    multiprocessing.get_context("spawn").Semaphore()
    yield Finding("worker processes", "ok", f"{os.cpu_count() or 1} processors")


def _site(_settings: Settings) -> Iterator[Finding]:
    vendor = resources.files("aperiodic.server.site") / "static" / "vendor"
    missing = [name for name in _SITE_FILES if not (vendor / name).is_file()]
    if missing:
        detail = f"{', '.join(missing)} not there: the site has no charts and no live search"
        yield Finding("site libraries", "warning", detail, "Bundle them with: make site")
    else:
        yield Finding("site libraries", "ok", "there")


def _home(settings: Settings) -> Iterator[Finding]:
    require_installation(settings)
    home = settings.home.absolute()
    writable = os.access(home, os.W_OK | os.X_OK)
    hint = "" if writable else "Let the user that runs the commands write there; reading commands work all the same."
    yield Finding("home", "ok" if writable else "warning", f"{home}{'' if writable else ' cannot be written'}", hint)
    yield _space("disk space", home)


def _space(check: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    detail = f"{free / (1 << 30):,.1f} GiB free at {folder}"
    if free < _NO_BYTES:
        return Finding(check, "problem", detail, "Free some space: imports and builds will fail.")
    return Finding(
        check, "warning" if free < _LOW_BYTES else "ok", detail, "" if free >= _LOW_BYTES else "It is little."
    )


def _secret(settings: Settings) -> Iterator[Finding]:
    if settings.secret is not None:
        long_enough = len(settings.secret.get_secret_value()) >= _SECRET_LENGTH
        hint = "" if long_enough else "Set it to a long random text, for example from: openssl rand -hex 32"
        yield Finding("secret", "ok" if long_enough else "problem", "APERIODIC_SECRET", hint)
    for name in ("secret", "ledger.sqlite"):
        path = settings.home / name
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and os.name == "posix":
            yield Finding(f"mode of {name}", "warning", f"others may read {path} ({mode:o})", f"chmod 600 {path}")
        else:
            yield Finding(f"mode of {name}", "ok", f"{mode:o}")


def _ledger(settings: Settings) -> Iterator[Finding]:
    prepare(settings)
    engine = open_ledger(settings.ledger_url, busy_s=_BUSY_S)
    try:
        with engine.connect() as connection:
            newest = newest_made(connection)
        yield Finding("ledger", "ok", f"{engine.dialect.name}, version {SCHEMA_REVISION}")
        if newest is not None and newest > now_us() + _AHEAD_US:
            yield Finding(
                "clock and ledger",
                "problem",
                f"The ledger's newest entry is of {time_at(newest):%Y-%m-%d %H:%M} UTC, which is still to come.",
                "Set the clocks of all hosts of this installation (NTP).",
            )
        try:
            with begin_write(engine) as connection:
                connection.rollback()
        except Exception as error:  # noqa: BLE001 - the reason is what is wanted
            said = translate(error)
            hint = "Builds and imports need to write it; reading commands do not."
            yield Finding("ledger", "warning", f"cannot be written: {said.message}", hint)
    finally:
        engine.dispose()


def _store(settings: Settings) -> Iterator[Finding]:
    require_installation(settings)
    store = open_store(settings)
    path = f"doctor-{secrets.token_hex(8)}"
    store.put(path, path.encode())
    read = store.read(path)
    store.delete(path)
    if read == path.encode():
        known = "the ledger's own" if own_store_of(settings.ledger_url) else "the next command that opens it marks it"
        yield Finding("store", "ok", f"{settings.store_url.partition('?')[0]}, written and read; {known}")
    else:
        yield Finding("store", "problem", "other bytes were read than were written", "Check the disk or the bucket.")


def _live_hub(settings: Settings) -> Iterator[Finding]:
    if not isinstance(settings, HubSettings) or settings.live_hub is None:
        return
    # Loads what makes rows, which nothing else here needs.
    from aperiodic.engine.live import look_at_hub  # noqa: PLC0415 - as said above

    found, well = look_at_hub(settings)
    advice = (
        "See whether the NATS server of APERIODIC_LIVE_HUB runs, with JetStream. Live rows wait for it; all else works."
    )
    yield Finding("live rows over NATS", "ok" if well else "warning", found, "" if well else advice)


_CHECKS: Final = (
    (_versions, "versions"),
    (_clock, "clock"),
    (_semaphores, "worker processes"),
    (_site, "site libraries"),
    (_home, "home"),
    (_secret, "secret"),
    (_ledger, "ledger"),
    (_store, "store"),
    (_live_hub, "live rows over NATS"),
    (hosts, "hosts"),
    (captures, "captures"),
    (recordings, "recordings"),
    (open_days, "open days"),
    (uploads, "recordings in the store"),
)
