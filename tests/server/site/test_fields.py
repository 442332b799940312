from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Final

import pytest
from tests.server.in_process import App, application

from aperiodic.catalog import DATASETS
from aperiodic.catalog.changes import changes_of
from aperiodic.server.site.dataset import field_groups

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
        row = answer.text.partition(f'<li class="field-row" id="field-{field.name}"')[2].partition("</li>")[0]
        shown = unescape(_TAG.sub("", row))
        words = (field.name, field.label, field.unit, field.own_description, field.formula, field.null)
        for word in words:
            assert word.replace("`", "") in shown, (field.name, word)
    assert answer.text.count('<li class="field-row" id="field-') == len(declared.fields)


@pytest.mark.parametrize("name", DATASETS)
def test_what_fields_share_is_told_once_before_them(app: App, name: str) -> None:
    text = unescape(_TAG.sub("", app.client.get(f"/catalog/{name}").text.partition('<h2 id="fields">')[2]))
    told = 0
    for caveat, fields in field_groups(DATASETS[name]):
        if caveat:
            told = text.index(f"{len(fields)} fields {caveat[0].upper()}{caveat[1:]}".replace("`", ""), told + 1)
            assert told < text.index(fields[0].own_description.replace("`", ""), told + 1)
            assert caveat.replace("`", "") not in text[told + len(caveat) : text.index(fields[-1].name, told)]


def test_there_are_220_fields() -> None:
    assert sum(len(declared.fields) for declared in DATASETS.values()) == 220


@pytest.mark.parametrize("name", DATASETS)
def test_a_page_tells_what_changed_in_the_definition(app: App, name: str) -> None:
    shown = app.client.get(f"/catalog/{name}").text.partition('<h2 id="changes">')[2].partition("</dl>")[0]
    for change in changes_of(name):
        assert f'datetime="{change.day}"' in shown
    assert shown.count("values changed") == sum(change.values for change in changes_of(name))
    assert shown.count("<dt>") == len(changes_of(name)) >= 1
