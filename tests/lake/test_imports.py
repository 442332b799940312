from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aperiodic.lake.imports import ImportRecord, find_import, read_imports, record_import
from aperiodic.lake.ledger import begin_write

if TYPE_CHECKING:
    from aperiodic.lake import Lake

FILE = ImportRecord(
    source="recording",
    exchange="binance",
    sha256="a" * 64,
    name="btcusdt_20230404.dat.gz",
    size=1234,
    version=1,
    lines=100,
    first_received=1_700_000_000_000_000,
    last_received=1_700_000_001_000_000,
    ticks={"trades": 90, "book": 4},
    rejected={"bad_json": 6},
    notes=["aggregated_trades"],
    finished_at=1_700_000_002_000_000,
)


def record(lake: Lake, *files: ImportRecord) -> None:
    with begin_write(lake.engine) as connection:
        for file in files:
            record_import(connection, file)


def test_a_file_is_found_by_its_content_at_its_venue(lake: Lake) -> None:
    empty = replace(FILE, sha256="b" * 64, first_received=None, last_received=None, ticks={}, rejected={}, notes=[])
    record(lake, FILE, empty)
    with lake.engine.connect() as connection:
        assert find_import(connection, "recording", "binance", FILE.sha256) == FILE
        assert find_import(connection, "recording", "binance", empty.sha256) == empty
        assert find_import(connection, "tardis", "binance", FILE.sha256) is None
        assert find_import(connection, "recording", "okx-perps", FILE.sha256) is None
        assert find_import(connection, "recording", "binance", "c" * 64) is None


def test_a_file_imported_again_is_known_once_by_its_latest_import(lake: Lake) -> None:
    again = replace(FILE, version=2, name="renamed.gz", ticks={"trades": 96}, rejected={})
    record(lake, FILE)
    record(lake, again)
    with lake.engine.connect() as connection:
        assert read_imports(connection) == [again]


def test_imports_are_listed_as_they_were_made_by_venue(lake: Lake) -> None:
    okx = replace(FILE, exchange="okx-perps")
    later = replace(FILE, sha256="0" * 64)
    record(lake, FILE, okx, later)
    with lake.engine.connect() as connection:
        assert read_imports(connection) == [FILE, okx, later]
        assert read_imports(connection, "binance") == [FILE, later]
        assert read_imports(connection, "hyperliquid-perps") == []
