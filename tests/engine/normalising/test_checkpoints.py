from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from tests.engine.importing.segments import Writer
from tests.engine.normalising.test_normaliser import DAY, checkpoints, intervals, lines_of
from tests.lakes import BTC, VENUE

from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import read_day
from aperiodic.lake import LakeError
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.lake import Lake

FIRST = 90
"""Lines before the checkpoint."""


def begun(lake: Lake) -> Writer:
    """Make ticks of the first half of the lines."""
    writer = Writer(lake.home, VENUE)
    writer.block(*lines_of()[:FIRST])
    Normaliser(lake).run_once()
    return writer


def rewrite(lake: Lake, change: Callable[[dict[str, Any]], object] | str) -> None:
    """Change what the checkpoint knows, or put a text in its place."""
    with lake.engine.begin() as connection:
        (held,) = connection.execute(text("SELECT CAST(state AS TEXT) FROM checkpoints")).scalars()
        if isinstance(change, str):
            written = change
        else:
            state = json.loads(held)
            change(state)
            written = json.dumps(state)
        connection.execute(text("UPDATE checkpoints SET state = :state"), {"state": written})


def finished(lake: Lake, writer: Writer) -> tuple[int, list[str]]:
    """Make ticks of the other lines; return how many trades there are, and what was said."""
    said: list[str] = []
    writer.block(*lines_of()[FIRST:])
    Normaliser(lake, say=said.append).run_once()
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held["sequence"].is_unique().all()
    return held.height, said


def add_fields(state: dict[str, Any]) -> None:
    state["more"] = {"x": 1}
    state["file"]["more"] = 1
    for connection in state["connections"]["open"].values():
        connection["more"] = None
        for stream in connection["streams"].values():
            stream.append("more")
    for kept in state["kept"]:
        kept.append("more")


def test_fields_that_are_not_known_do_not_matter(lake: Lake) -> None:
    writer = begun(lake)
    rewrite(lake, add_fields)
    assert finished(lake, writer) == (59, [])


def test_a_checkpoint_without_a_format_is_of_the_first_one(lake: Lake) -> None:
    writer = begun(lake)
    rewrite(lake, lambda state: state.pop("format"))
    assert finished(lake, writer) == (59, [])


def test_a_checkpoint_of_a_newer_version_is_refused(lake: Lake) -> None:
    begun(lake)
    rewrite(lake, lambda state: state.update(format=2))
    before = checkpoints(lake)
    with pytest.raises(LakeError) as raised:
        Normaliser(lake).run_once()
    assert raised.value.code == "checkpoint_newer"
    assert raised.value.hint
    assert checkpoints(lake) == before


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{}",
        "null",
        "[]",
        '{"connections": {',
        '{"file": {}}',
        lambda state: state.pop("file"),
        lambda state: state.update(kept=[["x"]]),
        lambda state: state.update(kept=[[["x", "y"], []]]),
        lambda state: state["connections"].update(open={"a1": {"opened": "x"}}),
        lambda state: state["file"].update(lines=None),
        lambda state: state.update(traded={"x": 1}),
        lambda state: state.update(overlap="soon"),
    ],
)
def test_what_cannot_be_read_is_learned_again_and_no_tick_is_doubled(
    lake: Lake, state: Callable[[dict[str, Any]], object] | str
) -> None:
    writer = begun(lake)
    before = intervals(lake)
    rewrite(lake, state)
    trades, said = finished(lake, writer)
    assert trades == 59
    assert len(said) == 1
    assert "cannot be read" in said[0]
    after = intervals(lake)
    assert after.keys() == before.keys()
    assert len(after[str(BTC), "quotes"]) == 1
    assert finished_again(lake) == []


def finished_again(lake: Lake) -> list[str]:
    """Return what a further run says: the checkpoint is whole again."""
    said: list[str] = []
    Normaliser(lake, say=said.append).run_once()
    return said


@pytest.mark.parametrize(
    ("column", "value"), [("segment", "x"), ("warm_segment", "../y"), ("offset", -1), ("last_received", "soon")]
)
def test_a_place_that_is_none_is_refused(lake: Lake, column: str, value: object) -> None:
    if lake.engine.dialect.name != "sqlite" and isinstance(value, str) and column == "last_received":
        pytest.skip("the database refuses it itself")
    begun(lake)
    with lake.engine.begin() as connection:
        connection.execute(text(f'UPDATE checkpoints SET "{column}" = :value'), {"value": value})
    with pytest.raises(LakeError) as raised:
        Normaliser(lake).run_once()
    assert raised.value.code == "checkpoint_damaged"
    assert "restore" in str(raised.value.hint)
