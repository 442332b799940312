"""`aperiodic explain`: reads what `make docs` has computed, for the engine takes its time and a client has none."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXPLANATIONS", "explain", "find_fields"]

EXPLANATIONS: Final = Path(__file__).with_name("explanations.json")
"""By `dataset.field`: pairs of a heading and a text. Made by `aperiodic.engine.reference`."""

_NARROWEST: Final = 60
_WIDEST: Final = 120


def explain(words: Sequence[str]) -> None:
    """Print what a field means.

    Args:
        words: What follows `aperiodic explain`.

    Raises:
        InvalidInputError: `unknown_field`, naming the nearest one.
        SystemExit: With 2 when the words cannot be understood.
    """
    parser = argparse.ArgumentParser(
        "aperiodic explain",
        description="Say what a field means: definition, unit, null rule, formula, and an example worked through by "
        "the engine.",
        allow_abbrev=False,
    )
    parser.add_argument("field", help="a field (flow_entropy), or a dataset and a field (trade_size.volume)")
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    for facts in find_fields(parser.parse_args(words).field):
        column = max(len(heading) for heading, _ in facts) + 2
        for heading, text in facts:
            lines = textwrap.wrap(text, width - column, break_long_words=False, break_on_hyphens=False)
            sys.stdout.write(f"{heading:{column}}" + f"\n{'':{column}}".join(lines) + "\n")
        sys.stdout.write("\n")


def find_fields(name: str) -> list[list[tuple[str, str]]]:
    """Return what there is to say of every field of that name, `field` or `dataset.field`.

    Raises:
        InvalidInputError: `unknown_field`, naming the nearest one.
    """
    known = json.loads(EXPLANATIONS.read_text(encoding="utf-8"))
    found = [
        [(heading, text) for heading, text in facts]
        for field, facts in known.items()
        if name in {field, field.partition(".")[2]}
    ]
    if not found:
        from aperiodic.market.errors import unknown_value  # noqa: PLC0415 (only for who mistypes)

        choices = list(known) if "." in name else sorted({field.partition(".")[2] for field in known})
        raise unknown_value("field", name, choices)
    return found
