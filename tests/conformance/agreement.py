"""Comparing what an original client returned with what ours returns for the same call."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
from polars.testing import assert_frame_equal

import aperiodic

if TYPE_CHECKING:
    from tests.conformance.conftest import Call, OriginalClient


def ours(client: OriginalClient, call: Call, **changes: Any) -> Any:
    """Make the same call with our client."""
    function = getattr(aperiodic, call.function.removesuffix("_async"))
    options = {"base_url": client.service.api.url, **call.arguments, **changes}
    if "symbol" in options:
        options |= {"show_progress": False, "on_incomplete": "ignore"}
    return function(**options)


def assert_same_frame(client: OriginalClient, call: Call, outcome: dict[str, Any]) -> None:
    """Fail unless both frames are equal, values, order and types."""
    assert "file" in outcome, (call, outcome)
    if outcome["library"] == "polars":
        assert_frame_equal(pl.read_parquet(outcome["file"]), ours(client, call), check_exact=True)
        return
    assert outcome["library"] == "pandas"
    written = io.BytesIO()
    ours(client, call, output="pandas").to_parquet(written)
    pd.testing.assert_frame_equal(pd.read_parquet(outcome["file"]), pd.read_parquet(written), check_exact=True)
