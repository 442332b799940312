"""Requests as code: the same parameters in Python, curl, JavaScript, the command line and SQL. Tests run all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Self

from aperiodic.market import Clock, Exchange, Interval
from aperiodic.server.api.parameters import BARS
from aperiodic.server.site.preview_bars import PreviewRange

if TYPE_CHECKING:
    from aperiodic.catalog import Dataset
    from aperiodic.server.settings import PreviewEntry, ServerSettings

__all__ = ["Parameters", "Sample", "samples", "usual_parameters"]

_NAMES: Final = [parameter.name for parameter in BARS]
_FALLBACK: Final = PreviewRange(
    Exchange.BINANCE_FUTURES,
    "perpetual-BTC-USDT:USDT",
    date(2025, 5, 1),
    date(2025, 5, 31),
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request for bars, as its words.

    Attributes:
        metric: Dataset.
        timestamp: Clock.
        interval: Length of the bars.
        exchange: Venue.
        symbol: Instrument.
        start_date: First UTC day.
        end_date: Last UTC day, included.
        preview: Whether the request is on the preview list, so that the demo key opens it.
    """

    metric: str
    timestamp: str
    interval: str
    exchange: str
    symbol: str
    start_date: str
    end_date: str
    preview: bool

    @classmethod
    def of_entry(cls, entry: PreviewEntry) -> Self:
        """Return a request of the preview."""
        return cls(metric=entry.metric, preview=True, **{name: str(getattr(entry, name)) for name in _NAMES})

    @property
    def query(self) -> str:
        """The query string of the request."""
        return "&".join(f"{name}={getattr(self, name)}" for name in _NAMES)

    @property
    def sub_minute(self) -> bool:
        """Whether its bars are shorter than a minute."""
        return Interval(self.interval).sub_minute

    @property
    def path(self) -> str:
        """The path of the request below the API's address."""
        return f"/data/{'preview/' if self.preview else ''}{self.metric}?{self.query}"


@dataclass(frozen=True, slots=True)
class Sample:
    """A request as code.

    Attributes:
        id: Names it in the page.
        label: What a reader calls it.
        language: For the highlighter.
        text: The code.
    """

    id: str
    label: str
    language: str
    text: str


def usual_parameters(declared: Dataset, settings: ServerSettings) -> Parameters:
    """Return the request that is shown for a dataset: of the preview where that has it, else of the preview."""
    for entry in settings.preview:
        if entry.metric == declared.id:
            return Parameters.of_entry(entry)
    shown = PreviewRange.of(settings) or _FALLBACK
    return Parameters(
        metric=declared.id,
        timestamp=Clock.EXCHANGE,
        interval=Interval.H1,
        exchange=shown.exchange,
        symbol=shown.symbol,
        start_date=shown.start.isoformat(),
        end_date=shown.end.isoformat(),
        preview=False,
    )


def samples(parameters: Parameters, api: str, key: str) -> list[Sample]:
    """Return a request in every language that is shown.

    Args:
        parameters: What is asked for.
        api: Address of the API.
        key: A key, or what stands for one.
    """
    return [
        Sample("python", "Python", "python", _python(parameters, api, key)),
        Sample("curl", "curl", "bash", _curl(parameters, api, key)),
        Sample("javascript", "JavaScript", "javascript", _javascript(parameters, api, key)),
        Sample("cli", "Command line", "bash", _command(parameters, api, key)),
        Sample("duckdb", "DuckDB", "python", _duckdb(parameters, api, key)),
    ]


def _python(parameters: Parameters, api: str, key: str) -> str:
    lines = [f'api_key="{key}",', f'metric="{parameters.metric}",']
    lines += [f"{name}={_python_value(getattr(parameters, name))}," for name in _NAMES]
    lines += ["preview=True,"] if parameters.preview else []
    lines.append(f'base_url="{api}",')
    body = "\n".join(f"    {line}" for line in lines)
    imports = "from datetime import date\n\nfrom aperiodic import get_metrics"
    return f"{imports}\n\ndf = get_metrics(\n{body}\n)\nprint(df.head())\n"


def _python_value(text: str) -> str:
    """Return a parameter as Python: a day as a date, everything else as text."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return f'"{text}"'
    return f"date({day.year}, {day.month}, {day.day})"


def _curl(parameters: Parameters, api: str, key: str) -> str:
    return f'curl -H "X-API-KEY: {key}" \\\n  "{api}{parameters.path}"\n'


def _javascript(parameters: Parameters, api: str, key: str) -> str:
    """Save the files, as Node.js does; a browser takes the same lines but the two about files."""
    return (
        "// Node.js 18 or newer: save as fetch.mjs, then node fetch.mjs\n"
        'import { writeFile } from "node:fs/promises";\n\n'
        "async function get(url, headers = {}) {\n"
        "  const answer = await fetch(url, { headers });\n"
        "  if (!answer.ok) throw new Error(await answer.text());\n"
        "  return answer;\n"
        "}\n\n"
        f'const url = "{api}{parameters.path}";\n'
        f'const {{ files, missing }} = await (await get(url, {{ "X-API-KEY": "{key}" }})).json();\n'
        "for (const file of files) {\n"
        f'  const name = `{parameters.metric}-${{file.year}}-${{String(file.month).padStart(2, "0")}}.parquet`;\n'
        "  await writeFile(name, Buffer.from(await (await get(file.url)).arrayBuffer()));\n"
        '  console.log(`${name}: ${file.rows} rows, ${file.complete ? "complete" : "incomplete"}`);\n'
        "}\n"
        'if (!files.length) console.log("nothing is published of these months:", missing);\n'
    )


def _command(parameters: Parameters, api: str, key: str) -> str:
    access = "--preview" if parameters.preview else ""
    setting = "" if parameters.preview else f"APERIODIC_API_KEY={key} "
    options = [
        f"--timestamp {parameters.timestamp} --interval {parameters.interval}",
        f"--exchange {parameters.exchange} --symbol {parameters.symbol}",
        f"--start {parameters.start_date} --end {parameters.end_date}",
        f"--url {api} {access} --output {parameters.metric}.parquet".replace("  ", " "),
    ]
    return f"{setting}aperiodic get {parameters.metric} \\\n  " + " \\\n  ".join(options) + "\n"


def _duckdb(parameters: Parameters, api: str, key: str) -> str:
    """Save the files, then query them: reading from links takes an extension that DuckDB would have to download."""
    return (
        "import duckdb\nimport httpx\n\n"
        f'answer = httpx.get(\n    "{api}{parameters.path}",\n    headers={{"X-API-KEY": "{key}"}},\n)\n'
        "names = []\n"
        'for file in answer.raise_for_status().json()["files"]:\n'
        f"    names.append(f\"{parameters.metric}-{{file['year']}}-{{file['month']:02}}.parquet\")\n"
        '    with open(names[-1], "wb") as saved:\n'
        '        saved.write(httpx.get(file["url"]).raise_for_status().content)\n'
        "if names:\n"
        '    print(duckdb.sql("SELECT * FROM read_parquet($names) ORDER BY time", params={"names": names}))\n'
        "else:\n"
        '    print("nothing is published of these months:", answer.json()["missing"])\n'
    )
