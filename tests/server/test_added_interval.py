"""An interval that is added as CONTRIBUTING says: the API, its documents and the SDK follow (its files: tests/engine)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.edited_source import edited_package, run_edited

if TYPE_CHECKING:
    from pathlib import Path

_ASK: Final = """
import json, sys
from pathlib import Path
from tests.server.in_process import application
from aperiodic.client import function_writer
from aperiodic.server.site.preview_bars import CHART_INTERVALS
with application(Path(sys.argv[1])) as app:
    ask = app.client.get
    given = {"timestamp": "exchange", "interval": "2h", "exchange": "okx-perps", "symbol": "perpetual-BTC-USDT:USDT",
             "start_date": "2025-05-01", "end_date": "2025-05-02"}
    document = ask("/api/v1/openapi.json").json()
    print(json.dumps({
        "catalog": [entry["intervals"] for entry in ask("/api/v1/metadata/catalog").json()["metrics"]],
        "parameter": document["paths"]["/api/v1/data/{metric}"]["get"]["parameters"][2]["schema"]["enum"],
        "description": document["info"]["description"],
        "asked": ask("/api/v1/data/ohlcv", params=given, headers=app.headers("prime")).json()["code"],
        "pages": {page: ask(page).text.count("2h") for page in ("/llms.txt", "/api-docs", "/for-agents")},
        "charts": CHART_INTERVALS,
        "known": function_writer.modules()["known.py"],
    }))
"""


def test_everything_that_lists_intervals_lists_it(tmp_path: Path) -> None:
    edits = {"market/interval.py": ('    H1 = "1h"\n', '    H1 = "1h"\n    H2 = "2h"\n')}
    found = json.loads(run_edited(edited_package(tmp_path / "source", edits), _ASK, str(tmp_path / "home")))
    assert all("2h" in intervals for intervals in found["catalog"])
    assert found["parameter"][found["parameter"].index("1h") + 1] == "2h"
    assert "11 intervals" in found["description"]
    assert found["asked"] == "unknown_symbol", "the interval is known; nothing is published here"
    assert min(found["pages"].values()) > 0, found["pages"]
    assert found["charts"].index("2h") == found["charts"].index("1h") + 1
    assert '"2h"' in found["known"]
