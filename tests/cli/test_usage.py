from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aperiodic.accounts.keys import create_key, public_id_of
from aperiodic.accounts.usage import Issued, UsageKey, add_usage
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def test_shows_what_was_issued_to_whom(shell: Shell) -> None:
    today = datetime.now(UTC).date()
    old = (today - timedelta(days=30)).isoformat()
    with closing(Lake.open(Settings(home=shell.home))) as lake, begin_write(lake.engine) as connection:
        acme, other = (
            public_id_of(create_key(connection, b"p" * 32, "pro", "", account=name)) for name in ("acme", "[/bold]")
        )
        add_usage(
            connection,
            {
                UsageKey(today.isoformat(), acme, "data", "ohlcv"): Issued(1000, 12, 5_000_000_000),
                UsageKey(today.isoformat(), acme, "data", "flow"): Issued(1, 1, 1),
                UsageKey(today.isoformat(), other, "raw", "trades"): Issued(1, 1, 1),
                UsageKey(today.isoformat(), "", "preview", "ohlcv"): Issued(3, 3, 3),
                UsageKey(old, acme, "data", "ohlcv"): Issued(7, 7, 7),
            },
        )
    shown = shell.run("usage")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.search(rf"{today} +acme +{acme} +data +1,001 +13 +5,000,000,001", shown.stdout)
    assert re.search(rf"{today} +\[/bold\] +{other} +raw +1 ", shown.stdout)
    assert re.search(rf"{today} +\(demo key\) +preview +3 ", shown.stdout)
    assert old not in shown.stdout

    found = json.loads(shell.run("usage", "--json", "--account", "acme", "--since", old, "--until", old).stdout)
    assert found == [
        {"day": old, "account": "acme", "public_id": acme, "endpoint": "data", "requests": 7, "files": 7, "bytes": 7}
    ]


def test_nothing_issued_and_wrong_words_are_said(shell: Shell) -> None:
    assert "Nothing was issued from 2025-05-01 to 2025-05-02." in (
        shell.run("usage", "--since", "2025-05-01", "--until", "2025-05-02").stdout
    )
    assert json.loads(shell.run("usage", "--json").stdout) == []
    unknown = shell.run("usage", "--account", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "There is no account 'nobody'." in unknown.stderr
    assert shell.run("usage", "--since", "2025-05-02", "--until", "2025-05-01").returncode == 1
