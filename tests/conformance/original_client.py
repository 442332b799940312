"""Makes calls with the `aperiodic` of the environment it runs in. Arguments: address of the API, folder for frames.

Reads `[{"name", "function", "arguments"}, …]` and writes `{"version", "outcomes": {name: outcome}}`, both as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aperiodic


def outcome(function: str, arguments: dict[str, Any], base_url: str, file: Path) -> dict[str, Any]:
    for name in arguments.keys() & {"start_date", "end_date"}:
        arguments[name] = date.fromisoformat(arguments[name])
    try:
        answer = getattr(aperiodic, function)(**arguments, base_url=base_url)
    except aperiodic.APIError as error:
        return {"status_code": error.status_code, "message": error.message, "details": error.details}
    if isinstance(answer, list):
        return {"answer": answer}
    answer.write_parquet(file)
    return {"file": str(file)}


if __name__ == "__main__":
    url, folder = sys.argv[1:]
    outcomes = {
        call["name"]: outcome(call["function"], call["arguments"], url, Path(folder) / call["name"])
        for call in json.load(sys.stdin)
    }
    json.dump({"version": version("aperiodic"), "outcomes": outcomes}, sys.stdout)
