"""What a page costs that has not changed: `.venv/bin/python benchmarks/pages.py`, over the installation in APERIODIC_HOME.

Prints the server's processor time for each of many requests for every kind of page, sent as a browser sends them the
first time (a whole answer) and again (it has the page already); beside it how long the first one took that was made anew.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import psutil

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from aperiodic.server.settings import ServerSettings
from aperiodic.server.site.well_known import page_paths
from benchmarks.installation import running, serve_ours

_TURNS, _REQUESTS = 5, 40
_GOAL_MS: Final = 5


def main() -> None:
    """Measure, and end with 1 when a page costs more than the goal."""
    home = ServerSettings().home
    if not (home / "ledger.sqlite").exists():
        sys.exit(f"There is no installation in {home}. Make one with `make demo`, or set APERIODIC_HOME.")
    slowest = 0.0
    with running(serve_ours, home) as url, httpx.Client(base_url=url.removesuffix("/api/v1")) as client:
        (server,) = psutil.Process().children()[-1:]
        print(f"{'page':32} {'first, ms':>10} {'whole, ms':>10} {'known, ms':>10}   processor; goal {_GOAL_MS} ms")
        for path in (*page_paths(), "/account"):
            begin = time.perf_counter()
            tag = client.get(path).raise_for_status().headers["etag"]
            first = (time.perf_counter() - begin) * 1000
            whole = _cost(server, client, path, {})
            known = _cost(server, client, path, {"If-None-Match": tag})
            slowest = max(slowest, whole, known)
            print(f"{path:32} {first:10.1f} {whole:10.2f} {known:10.2f}", flush=True)
    print(f"slowest {slowest:.2f} ms")
    sys.exit(slowest > _GOAL_MS)


def _cost(server: psutil.Process, client: httpx.Client, path: str, headers: dict[str, str]) -> float:
    """Return the processor time of one request, ms: the median of turns, as the server makes pages anew in between."""
    turns = []
    for _ in range(_TURNS):
        before = server.cpu_times()
        for _ in range(_REQUESTS):
            answer = client.get(path, headers=headers)
            if answer.status_code not in {200, 304}:
                raise RuntimeError(f"{path} answered {answer.status_code}")
        after = server.cpu_times()
        turns.append((after.user + after.system - before.user - before.system) * 1000 / _REQUESTS)
    return median(turns)


if __name__ == "__main__":
    main()
