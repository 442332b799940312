"""What a change of the source makes out of date: exactly what it touches."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from tests.edited_source import edited_package, run_edited
from tests.lakes import put_ticks
from tests.oracle.others import values_frame

from aperiodic.catalog import Family
from aperiodic.engine.build import BuildReport, build
from aperiodic.engine.fingerprints import bars_digest, essence
from aperiodic.lake import Lake, ObjectKind
from aperiodic.market import Stream

if TYPE_CHECKING:
    from pathlib import Path

NOON: Final = int(datetime(2025, 5, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
HOUR: Final = 3_600 * 1_000_000
REBUILD: Final = """
import json, sys
from aperiodic.engine.build import build
from aperiodic.lake import Lake, ObjectKind, Settings
lake = Lake.open(Settings(home=sys.argv[1]))
report = build(lake)
bars = [(r.key.dataset, r.key.interval, r.key.clock, r.revision) for r in lake.current(ObjectKind.BARS)]
print(json.dumps({"days": report.days, "files": report.files, "bars": bars, "again": build(lake).files}))
"""
DIGESTS: Final = """
import json
from aperiodic.engine.families import KERNELS
from aperiodic.engine.fingerprints import bars_digest
print(json.dumps({family: bars_digest(family) for family in KERNELS}))
"""


@pytest.fixture
def built(lake: Lake) -> Lake:
    """A day of mark prices, index prices and funding rates, built with the source as it is."""
    for stream, column in ((Stream.MARK_PRICE, "mark_price"), (Stream.INDEX_PRICE, "index_price")):
        put_ticks(lake, stream, values_frame(column, [(NOON + i * HOUR, NOON + i * HOUR, 100.0 + i) for i in range(5)]))
    put_ticks(lake, Stream.FUNDING_RATE, values_frame("funding_rate", [(NOON, NOON, 1e-4), (NOON + 1, NOON + 1, 2e-4)]))
    build(lake)
    assert build(lake) == BuildReport(days=0, months=0, files=0)
    return lake


def rebuilt(lake: Lake, path: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads(run_edited(path, REBUILD, str(lake.home)))
    return answer


def test_words_about_the_source_are_no_part_of_it() -> None:
    said = 'def f(x):\n    """Twice.\n\n    Really.\n    """\n    # For a reason.\n    return "# no comment" * 2  # two\n\n'
    assert essence(said) == 'def f(x):\n    return "# no comment" * 2'
    assert essence(said) == essence('def f(x):\n    """Other words."""\n\n    return "# no comment" * 2')
    assert essence(said) != essence(said.replace("* 2", "* 3"))


def test_a_changed_kernel_concerns_its_family_alone(tmp_path: Path) -> None:
    edit = "from __future__ import annotations\n", "from __future__ import annotations\n\n_ADDED = 1\n"
    digests = json.loads(run_edited(edited_package(tmp_path, {"engine/partials/book.py": edit}), DIGESTS))
    assert {family for family in Family if digests[family] != bars_digest(family)} == {Family.BOOK}


def test_an_added_field_rewrites_the_files_of_its_dataset_alone(built: Lake, tmp_path: Path) -> None:
    before = len(built.current(ObjectKind.BARS, dataset="funding"))
    field = """    fields=(
        Field(
            "funding_rate_twice",
            "Funding Rate Twice",
            Unit.FRACTION,
            "The rate of two periods.",
            "2 x last funding rate",
            p.funding_rate * 2,
        ),
"""
    edits = {"catalog/funding.py": ("    fields=(\n", field)}
    answer = rebuilt(built, edited_package(tmp_path / "edited", edits))
    assert (answer["days"], answer["files"], answer["again"]) == (0, before, 0)
    revisions = {(dataset, revision) for dataset, _, _, revision in answer["bars"]}  # type: ignore[attr-defined]
    assert revisions == {("funding", 2), ("basis", 1), ("derivative_price", 1)}


def test_an_added_interval_gets_its_files_and_leaves_the_others_as_they_were(built: Lake, tmp_path: Path) -> None:
    before = Counter(record.key.dataset for record in built.current(ObjectKind.BARS))
    edits = {"market/interval.py": ('    H1 = "1h"\n', '    H1 = "1h"\n    H2 = "2h"\n')}
    answer = rebuilt(built, edited_package(tmp_path / "edited", edits))
    bars = [tuple(entry) for entry in answer["bars"]]  # type: ignore[attr-defined]
    assert {revision for *_, revision in bars} == {1}
    added = Counter(dataset for dataset, interval, _, _ in bars if interval == "2h")
    assert added == {"funding": 2, "basis": 2, "derivative_price": 2}
    assert Counter(dataset for dataset, *_ in bars) - before == added
    assert answer["again"] == 0
