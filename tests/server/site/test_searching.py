"""Search of the catalog: the words of traders, ranking, and short words that are no noise."""

from __future__ import annotations

import pytest

from aperiodic.catalog import DATASETS
from aperiodic.catalog.synonyms import SYNONYMS
from aperiodic.client.discover.search import search_words
from aperiodic.client.discover.words import known_words
from aperiodic.server.site.searching import best_fields, search

FIRST = {
    "CVD": "flow.volume_delta",
    "VPIN": "flow.flow_toxicity_score",
    "OI": "open_interest.open_interest",
    "OBI": "l1_imbalance.imbalance_ratio",
    "VWAP": "vtwap.vwap",
    "twap": "vtwap.twap",
    "spread": "l1_liquidity.spread",
    "Kyle's lambda": "impact.kyle_like_lambda",
    "kyle\u2019s lambda": "impact.kyle_like_lambda",
    "Amihud": "impact.amihud_like",
    "microprice": "l1_price.weighted_midprice",
    "mid price": "l1_price.midprice",
    "funding rate": "funding.funding_rate",
    "realised volatility": "returns.realized_vol",
    "flow_entropy": "flow.flow_entropy",
    "Bid/Ask Ratio": "l1_imbalance.bid_ask_ratio",
    "premium": "basis.basis_bps",
}


@pytest.mark.parametrize("text", FIRST)
def test_the_best_match_is_what_a_trader_means(text: str) -> None:
    (declared, field), *_ = best_fields(text, 5)
    assert f"{declared.id}.{field.name}" == FIRST[text]
    assert search(text)[0].dataset is declared


@pytest.mark.parametrize("text", ["CVD", "VPIN", "OI", "Amihud"])
def test_the_client_knows_the_same_words(text: str) -> None:
    names = search_words(text, known_words(), 5)["name"].to_list()
    assert FIRST[text] in names


def test_a_word_that_is_still_being_typed_finds_what_says_least_besides() -> None:
    (declared, field), *_ = best_fields("spr", 5)
    assert f"{declared.id}.{field.name}" == "l1_liquidity.spread"


def test_short_words_are_no_noise() -> None:
    assert [found.dataset.id for found in search("OI")] == ["open_interest"]
    assert search("zzzzzz") == []
    assert best_fields("", 5) == []


def test_a_dataset_is_found_by_its_name_first() -> None:
    for declared in DATASETS.values():
        assert search(declared.id)[0].dataset is declared
        assert search(declared.name)[0].dataset is declared


def test_every_word_has_to_fit() -> None:
    assert [found.dataset.id for found in search("kyle lambda funding")] == []
    assert len(search("")) == len(DATASETS)
    assert search("x" * 10_000) == []


def test_other_words_are_of_what_exists() -> None:
    known = set(DATASETS) | {f"{d.id}.{field.name}" for d in DATASETS.values() for field in d.fields}
    assert SYNONYMS.keys() <= known
