from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Final

import pytest
from tests.server.in_process import App, application

from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG: Final = re.compile(r"<[^>]+>")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("name", DATASETS)
def test_a_page_shows_every_field_with_all_of_its_words(app: App, name: str) -> None:
    declared = DATASETS[name]
    answer = app.client.get(f"/catalog/{name}")
    assert answer.status_code == 200
    for field in declared.fields:
        row = answer.text.partition(f'<tr id="field-{field.name}">')[2].partition("</tr>")[0]
        shown = unescape(_TAG.sub("", row))
        words = (field.name, field.label, field.unit, field.description, field.formula, field.null)
        for word in words:
            assert word.replace("`", "") in shown, (field.name, word)
    assert answer.text.count('<tr id="field-') == len(declared.fields)


def test_there_are_220_fields() -> None:
    assert sum(len(declared.fields) for declared in DATASETS.values()) == 220
