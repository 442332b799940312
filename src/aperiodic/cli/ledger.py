"""`aperiodic ledger`: back up, restore, compare with the store, take another store, and prune."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.markup import escape

from aperiodic.cli.console import errors, out, steps
from aperiodic.cli.errors import FAILED
from aperiodic.cli.installation import Begin, open_lake, prepare, read_settings
from aperiodic.lake import LakeError, Settings
from aperiodic.lake.backup import back_up
from aperiodic.lake.backup import restore as restore_from
from aperiodic.lake.layout import can_be_repaired
from aperiodic.lake.own_store import look_for_objects, own_store_of
from aperiodic.lake.own_store import take_store as take
from aperiodic.lake.pruning import count_prunable, prune_history
from aperiodic.lake.verify import verify_store
from aperiodic.market import DAY_US, InvalidInputError
from aperiodic.market.time import now_us, time_at

__all__ = ["app"]

app = App(name="ledger", help="The ledger: back up, restore, compare with the store, take another store, prune.")

_SHOWN: Final = 10


@app.command
def backup(file: Path, *, force: bool = False) -> None:
    """Copy the ledger into one SQLite file, from SQLite or PostgreSQL, while servers and builds go on.

    The installation's secret is not in it; without the secret no API key works. Keep both, and the store.

    Args:
        file: Where the copy goes.
        force: Replace the file if it is there.
    """
    settings = read_settings(Settings)
    prepare(settings)
    with steps() as progress:
        counts = back_up(settings.ledger_url, file, replace=force, progress=progress)
    out.print(f"Backed up {_rows(counts)} to {escape(str(file))}.", highlight=False, soft_wrap=True)
    errors.print(f"Keep the secret as well: {_place_of_secret(settings)}.", highlight=False, soft_wrap=True)


@app.command
def restore(file: Path) -> None:
    """Fill an empty ledger, SQLite or PostgreSQL, with a backup: all of it or nothing.

    Args:
        file: What `aperiodic ledger backup` wrote, with this version or an older one.
    """
    settings = read_settings(Settings)
    with open_lake(Begin.ANYWHERE, to_restore=True) as lake, lake.writing(), steps() as progress:
        counts = restore_from(lake.engine, file, progress=progress)
    out.print(f"Restored {_rows(counts)} from {escape(str(file))}.", highlight=False, soft_wrap=True)
    if settings.secret is None and not (settings.home / "secret").exists():
        errors.print(
            f"There is no secret at {_place_of_secret(settings)} yet. Put the old one there before anything starts: "
            "with a new one, the restored API keys are unknown.",
            highlight=False,
            soft_wrap=True,
        )


@app.command
def verify(
    *,
    deep: bool = False,
    repair: bool = False,
    workers: Annotated[int, Parameter(validator=Number(gte=1, lte=256))] = os.cpu_count() or 1,
) -> None:
    """Make sure that the store has every object of the ledger; exit code 1 when it has not.

    Recordings in the store are no objects of the ledger, and are not looked at.

    Args:
        deep: Read every object and compare its SHA-256; without it only sizes are compared.
        repair: Do that, compute metrics anew that are missing or damaged, and read parts of open days again from the
            recordings on this disk and in the store; what else was imported is named.
        workers: Processes to compute in.
    """
    with open_lake() as lake, steps() as progress:
        report = verify_store(lake.store, lake.engine, deep=deep or repair, progress=progress)
        if repair and not report.sound:
            # The engine is only needed, and only loaded, where something is wrong.
            from aperiodic.engine.repair import repair as run_repair  # noqa: PLC0415

            repaired = run_repair(lake, report, workers=workers, progress=progress)
        else:
            repaired = None
    restored = dict.fromkeys(repaired.restored, "computed anew") if repaired else {}
    restored |= dict.fromkeys(repaired.put_back, "read again from recordings") if repaired else {}
    for problem, paths in (("missing", report.missing), ("damaged", report.damaged), ("unknown", report.unknown)):
        for path in paths:
            mended = f" ({restored[path]})" if path in restored else ""
            out.print(f"{problem}: {escape(path)}{mended}", highlight=False, soft_wrap=True)
    out.print(
        f"{report.checked:,} objects: {len(report.missing):,} missing, {len(report.damaged):,} damaged; "
        f"{len(report.unknown):,} in the store that the ledger does not know.",
        highlight=False,
    )
    if report.recordings:
        out.print(
            f"{report.recordings:,} recordings beside them were not looked at: they are compared with their digests when "
            "they are fetched.",
            highlight=False,
            soft_wrap=True,
        )
    if not (deep or repair):
        out.print("Only sizes were compared; --deep compares contents.", highlight=False)
    if repaired is not None:
        made = f"Computed anew: {len(repaired.restored):,}; read again from recordings: {len(repaired.put_back):,}"
        out.print(f"{made}; still wrong: {len(repaired.lost):,}.", highlight=False)
    if not report.sound and (repaired is None or repaired.lost):
        advice = (
            "Run: aperiodic ledger verify --repair"
            if repaired is None and any(map(can_be_repaired, (*report.missing, *report.damaged)))
            else "Restore these objects from a copy of the store, or import their source again with --again."
        )
        errors.print(f"[bold]hint:[/] {advice}", soft_wrap=True)
        raise SystemExit(1)


@app.command
def take_store(
    *,
    yes: Annotated[bool, Parameter(negative=())] = False,
    lost: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Say whether the store is that which the ledger names, and with --yes let the ledger take it for its own.

    A store has a mark, a file `aperiodic-store.json` with an id, and nothing is written to one with another mark or without.
    This is for a store that is meant all the same: one that was copied without its mark, or one in the place of another that is lost.

    Args:
        yes: Do it.
        lost: Do it also where the store has no object of the ledger: the one before is lost for good, and is refused should it come back.
    """
    settings = read_settings(Settings)
    own = own_store_of(settings.ledger_url)
    with open_lake(to_restore=True) as lake:
        store = lake.store
        try:
            marked = store.presence.read() or "no mark"
        except LakeError as error:
            if error.code != "store_mark_damaged":
                raise
            marked = "a damaged mark"
        found = look_for_objects(lake.engine, store)
        _say(
            f"The ledger names the store {'not yet' if own is None else own.store_id}; the one that is there has {marked}."
        )
        _say(f"Of {found.asked:,} objects of the ledger, the newest and the oldest, it has {found.found:,}.")
        if own is not None and own.is_marked and marked == own.store_id:
            _say("It is the ledger's own; there is nothing to do.")
            return
        if found.asked and not found.found and not (yes and lost):
            _say(
                "A store that is only away, as where a mount dropped, comes back by mounting it: then do nothing here."
            )
            _say(
                "Nothing was changed; --yes --lost lets the ledger take this one for good, without what the other one holds."
            )
            if yes:
                raise SystemExit(FAILED)
            return
        if not yes:
            _say("Nothing was changed; --yes lets the ledger take it.")
            return
        store_id = take(lake.engine, store)
    _say(
        f"The ledger took the store {store_id}. Start running programs again now; until then they take it for another's."
    )
    if found.found < found.asked:
        errors.print("[bold]hint:[/] See what is missing: aperiodic ledger verify", soft_wrap=True)


def _say(words: str) -> None:
    out.print(words, highlight=False, markup=False, soft_wrap=True)


@app.command
def prune(
    *,
    days: Annotated[int | None, Parameter(validator=Number(gte=1, lte=100_000))] = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Say what revisions gave way long ago, and with --yes forget them, with their files that nothing else names.

    Of published months and of the days they are made from; what was imported stays told. Answers `as_of` an earlier time
    than that are refused from then on. It goes series by series and can be stopped at any time; series that others are
    writing are left to the next run.

    Args:
        days: Only what gave way longer ago; by default APERIODIC_KEEP_REVISIONS_DAYS.
        yes: Do it.
    """
    kept = read_settings(Settings).keep_revisions_days if days is None else days
    if kept is None:
        raise InvalidInputError(
            "It was not said how long revisions are kept.",
            code="missing_days",
            hint="Say --days 90, or set APERIODIC_KEEP_REVISIONS_DAYS.",
        )
    moment = now_us() - kept * DAY_US
    with open_lake() as lake:
        found = count_prunable(lake.engine, moment)
        told = f"{found.rows:,} revisions gave way before {time_at(moment):%Y-%m-%d %H:%M} UTC, {_size(found.size)} of files"
        if not yes:
            out.print(f"{told}. Nothing was changed; --yes forgets them.", highlight=False)
            return
        out.print(f"{told}.", highlight=False)
        with steps() as progress:
            done = prune_history(
                lake, moment, progress=lambda rows: progress("revisions", min(rows, found.rows), found.rows)
            )
    out.print(f"Forgot {done.rows:,} revisions and deleted {done.files:,} files, {_size(done.size)}.", highlight=False)
    if done.busy:
        errors.print(
            f"Left alone, for others are writing them: {escape(', '.join(done.busy[:_SHOWN]))}"
            f"{' …' if len(done.busy) > _SHOWN else ''}. Run it again later.",
            highlight=False,
            soft_wrap=True,
        )


def _size(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"


def _rows(counts: dict[str, int]) -> str:
    return f"{sum(counts.values()):,} rows of {len(counts)} tables"


def _place_of_secret(settings: Settings) -> str:
    return "APERIODIC_SECRET" if settings.secret is not None else str((settings.home / "secret").absolute())
