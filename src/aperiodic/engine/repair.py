"""Making objects anew that the store does not hold as they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aperiodic.engine.build import build
from aperiodic.engine.normalising.putting_back import put_back_from_everywhere
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.lake import LakeError, ObjectKind
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.layout import COMPUTED
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.lake import Lake, ObjectKey
    from aperiodic.lake.verify import StoreReport

__all__ = ["RepairReport", "repair"]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What became of the objects that were missing or damaged.

    Attributes:
        restored: Paths of those that were computed anew.
        put_back: Paths of parts of open days that were read again from recordings.
        lost: Paths of the others: what was imported, superseded revisions, and what is made of lost ticks.
    """

    restored: list[str]
    put_back: list[str]
    lost: list[str]


def repair(
    lake: Lake,
    report: StoreReport,
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    now: Callable[[], int] = now_us,
) -> RepairReport:
    """Compute bars anew that are missing or damaged; the same ticks and definitions give the same bytes.

    Parts of open days are read again from recordings before, of this disk and of the store.

    Args:
        lake: The installation.
        report: What `verify_store` found, of this installation.
        workers: See `build`.
        progress: See `build`.
        now: Tells the time, µs; it decides which days are open.

    Raises:
        LakeError: `busy`, or the store or the ledger failed.
    """
    faulty = sorted({*report.missing, *report.damaged})
    known = [record for path in faulty if (record := lake.find_path(path))]
    parts = [record for record in known if record.key.kind is ObjectKind.TICK_PARTS]
    put_back = put_back_from_everywhere(lake, parts) if parts else set()
    current = [record for record in known if record.key.kind in COMPUTED]
    of_open_days = [record.key for record in current if record.key.kind is ObjectKind.OPEN_BARS]
    computed = [record.path for record in current]
    if of_open_days:
        _publish_anew(lake, of_open_days, now)
    if len(computed) > len(of_open_days):
        try:
            build(lake, workers=workers, broken=computed, progress=progress)
        except LakeError as error:
            if error.code not in UNUSABLE:
                raise
    lost = [path for path in faulty if path not in put_back and (path not in computed or not _is_sound(lake, path))]
    return RepairReport(restored=[path for path in computed if path not in lost], put_back=sorted(put_back), lost=lost)


def _publish_anew(lake: Lake, keys: Sequence[ObjectKey], now: Callable[[], int]) -> None:
    """Take files of open days back, which are then computed from the ticks; where those are lost they stay away."""
    batch = lake.batch()
    for key in keys:
        batch.retire(key)
    batch.commit()
    builder = OpenDayBuilder(lake, now)
    try:
        builder.round()
    except LakeError as error:
        if error.code not in UNUSABLE:
            raise
    finally:
        builder.close()


def _is_sound(lake: Lake, path: str) -> bool:
    """Whether an object is as it was written, or none any more: other ticks or definitions give another one."""
    try:
        lake.store.check(path)
    except LakeError as error:
        if error.code not in UNUSABLE:
            raise
        return lake.find_path(path) is None
    return True
