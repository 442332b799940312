from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from aperiodic.lake import LakeError, Settings
from aperiodic.server import Secrets

if TYPE_CHECKING:
    from pathlib import Path


def test_the_secret_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new")
    first = Secrets.load(settings)
    path = tmp_path / "new" / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Secrets.load(settings) == first
    assert [item.name for item in path.parent.iterdir()] == ["secret"]


def test_processes_that_begin_together_agree_on_one_secret(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Secrets.load(settings), range(32)))
    assert set(made) == {made[0]}


def test_every_purpose_and_every_installation_has_its_own_key(tmp_path: Path) -> None:
    one, other = Secrets.load(Settings(home=tmp_path / "a")), Secrets.load(Settings(home=tmp_path / "b"))
    assert len({one.pepper, one.link_key, other.pepper, other.link_key}) == 4


def test_a_configured_secret_is_used_and_no_file_is_made(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, secret=SecretStr("s" * 32))
    assert Secrets.load(settings) == Secrets.load(Settings(home=tmp_path / "other", secret=SecretStr("s" * 32)))
    assert not list(tmp_path.iterdir())


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    made = Secrets.load(Settings(home=tmp_path))
    assert repr(made) == "Secrets()"


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError) as caught:
        Secrets.load(Settings(home=tmp_path, secret=SecretStr("hunter2")))
    assert caught.value.code == "weak_secret"
    assert "hunter2" not in str(caught.value)
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(LakeError, match="shorter"):
        Secrets.load(Settings(home=tmp_path))


def test_a_secret_that_cannot_be_read_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises(LakeError) as caught:
        Secrets.load(Settings(home=tmp_path))
    assert caught.value.code == "secret_unavailable"
    assert "APERIODIC_SECRET" in (caught.value.hint or "")
