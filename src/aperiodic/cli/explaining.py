"""`aperiodic explain`."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from aperiodic.cli.console import out
from aperiodic.engine.reference import explain as facts_of
from aperiodic.engine.reference import find_fields

__all__ = ["explain"]


def explain(field: str) -> None:
    """Say what a field means: definition, unit, null rule, formula, and an example worked through by the engine.

    Args:
        field: Name of a field (flow_entropy), or of a dataset and a field (trade_size.volume).
    """
    for dataset, found in find_fields(field):
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for heading, text in facts_of(dataset, found):
            table.add_row(heading, escape(text))
        out.print(table)
        out.print()
