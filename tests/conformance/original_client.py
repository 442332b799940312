"""Makes calls with the `aperiodic` of the environment it runs in. Arguments: folder for frames, `polars` or `pandas`.

Reads `[{"name", "function", "arguments"}, …]` and writes `{"version", "functions", "outcomes": {name: outcome}}`, both
as JSON. With `pandas`, polars counts as not installed. Nothing really waits; the waits are told.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

if sys.argv[2] == "pandas":
    sys.modules["polars"] = None  # type: ignore[assignment]  # how Python writes down that an import fails

import aperiodic

_pause = asyncio.sleep
_waits: list[float] = []
_FACTS = ("status_code", "message", "details", "code", "year", "month", "day")


async def _wait(seconds: float) -> None:
    if seconds:
        _waits.append(seconds)
    await _pause(0)


def _call(function: str, arguments: dict[str, Any]) -> Any:
    for name in arguments.keys() & {"start_date", "end_date"}:
        arguments[name] = date.fromisoformat(arguments[name])
    answer = getattr(aperiodic, function)(**arguments)
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def _outcome(function: str, arguments: dict[str, Any], file: Path) -> dict[str, Any]:
    _waits.clear()
    try:
        answer = _call(function, arguments)
    except (aperiodic.APIError, aperiodic.DownloadError, aperiodic.AperiodicDataError) as error:
        facts = {name: getattr(error, name) for name in _FACTS if hasattr(error, name)}
        return {"error": type(error).__name__, "text": str(error), "waits": list(_waits), **facts}
    if isinstance(answer, dict):
        return {"answer": answer}
    if isinstance(answer, list):
        return {"answer": [str(item) for item in answer]}
    (answer.write_parquet if hasattr(answer, "write_parquet") else answer.to_parquet)(file)
    return {"file": str(file), "library": type(answer).__module__.partition(".")[0]}


if __name__ == "__main__":
    asyncio.sleep = _wait  # type: ignore[assignment]  # nobody passes a result
    outcomes = {
        call["name"]: _outcome(call["function"], call["arguments"], Path(sys.argv[1]) / call["name"])
        for call in json.load(sys.stdin)
    }
    functions = sorted(name for name in aperiodic.__all__ if name.startswith(("get_", "download_")))
    json.dump({"version": version("aperiodic"), "functions": functions, "outcomes": outcomes}, sys.stdout)
