from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.server.in_process import application

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("signup", [True, False])
def test_the_page_offers_to_sign_up_only_where_that_is_open(tmp_path: Path, *, signup: bool) -> None:
    with application(tmp_path / "home", signup=signup, signups_per_hour=3) as app:
        text = app.client.get("/account").text
    assert ("data-get-key" in text) is signup
    assert ("/api/v1/signup" in text) is signup
    assert ("may make 3 an hour" in text) is signup


def test_the_page_explains_itself_without_a_script(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        text = app.client.get("/account").text
    shown = re.sub(r"<form.*?</form>|<div data-account hidden>.*?<section", "", text, flags=re.DOTALL)
    assert "/api/v1/account/rotate" in shown
    assert "X-API-KEY: YOUR-KEY" in shown
    assert "<noscript>" in shown


def test_the_page_never_holds_a_key_and_takes_none_in_its_address(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        key = app.headers("pro")["X-API-KEY"]
        answer = app.client.get("/account", headers={"X-API-KEY": key})
        assert key not in answer.text
        assert answer.text == app.client.get("/account").text
    assert 'name="key"' not in answer.text
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]


def test_every_part_that_the_script_fills_is_on_the_page(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        text = app.client.get("/account").text
        address = re.search(r'src="([^"]*account\.js)"', text)
        assert address is not None
        script = app.client.get(address[1]).text
    names = set(re.findall(r'(?:find|onClick)\("([a-z-]+)"', script))
    assert len(names) > 15
    assert {name for name in names if f"data-{name}" not in text} == set()


def test_labels_belong_to_inputs(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        text = app.client.get("/account").text
    for name in re.findall(r'<label for="([^"]+)"', text):
        assert f'id="{name}"' in text
