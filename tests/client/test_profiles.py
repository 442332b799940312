from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

import aperiodic
from aperiodic.client.profiles import Profile, Profiles, config_file, read_profiles, write_profiles
from aperiodic.client.request import Account, parse_base_url

HOME = "https://home.example/api/v1"
AWAY = "https://away.example/api/v1"
TWO = Profiles({"home": Profile(HOME, "home-key"), "away": Profile(AWAY, "away-key")}, "home")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "deep" / "config.toml"
    monkeypatch.setenv("APERIODIC_CONFIG", str(path))
    return path


def test_the_default_profile_tells_address_and_key(config: Path) -> None:
    assert write_profiles(TWO) == config
    account = Account.parse(None, None)
    assert (account.base_url, account.api_key) == (HOME, "home-key")
    client = aperiodic.Client(cache=False)
    assert "home.example" in repr(client)
    assert "home-key" not in repr(client)


def test_the_environment_names_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles(TWO)
    monkeypatch.setenv("APERIODIC_PROFILE", "away")
    assert Account.parse(None, None) == Account(AWAY, "away-key")


def test_arguments_go_first_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles(TWO)
    assert Account.parse("mine", AWAY) == Account(AWAY, "mine")
    monkeypatch.setenv("APERIODIC_API_KEY", "of-the-environment")
    assert Account.parse(None, None) == Account(HOME, "of-the-environment")
    monkeypatch.setenv("APERIODIC_API_URL", AWAY)
    assert Account.parse(None, None) == Account(AWAY, "of-the-environment")
    assert Account.parse("mine", None) == Account(AWAY, "mine")


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_the_key_of_a_profile_goes_to_its_own_address_only(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles(TWO)
    if how == "environment":
        monkeypatch.setenv("APERIODIC_API_URL", AWAY)
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        Account.parse(None, AWAY if how == "argument" else None)
    assert caught.value.code == "missing_api_key"
    assert Account.parse(None, HOME + "/").api_key == "home-key"


def test_nor_does_it_go_to_a_stream_of_another_server() -> None:
    write_profiles(TWO)
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.stream(dataset="ohlcv", exchange="binance", interval="1m", stream_url="wss://away.example/v1/stream")
    assert caught.value.code == "missing_api_key"
    aperiodic.stream(dataset="ohlcv", exchange="binance", interval="1m").close()


def test_a_preview_sends_no_key_of_a_profile() -> None:
    write_profiles(TWO)
    assert Account.parse(None, None, preview=True) == Account(HOME, "DEMO-KEY")


def test_without_a_file_nothing_changes() -> None:
    assert read_profiles() == Profiles()
    assert parse_base_url(None) == "https://aperiodic.io/api/v1"
    with pytest.raises(aperiodic.InvalidInputError, match="aperiodic login"):
        Account.parse(None, None)


def test_only_its_owner_can_read_the_file(config: Path) -> None:
    before = os.umask(0)
    try:
        write_profiles(TWO)
        config.chmod(0o644)
        write_profiles(TWO)
    finally:
        os.umask(before)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert list(config.parent.iterdir()) == [config]


def test_what_is_written_is_read_again(config: Path) -> None:
    odd = Profiles({"a_B-1": Profile(f'{HOME}/"\\é', "k'\"\\y"), "b": Profile(None, None)}, None)
    write_profiles(odd)
    assert read_profiles() == odd
    assert tomllib.loads(config.read_text(encoding="utf-8"))["profiles"]["a_B-1"]["api_key"] == "k'\"\\y"


def test_a_link_to_the_file_stays_one(config: Path, tmp_path: Path) -> None:
    config.parent.mkdir()
    config.symlink_to(tmp_path / "elsewhere.toml")
    write_profiles(TWO)
    assert config.is_symlink()
    assert read_profiles() == TWO


def test_a_write_that_fails_leaves_the_old_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles(TWO)

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(aperiodic.InvalidInputError, match="No space left"):
            write_profiles(Profiles())
    assert read_profiles() == TWO
    assert list(config.parent.iterdir()) == [config]


def test_what_this_version_does_not_know_is_not_lost(config: Path) -> None:
    config.parent.mkdir()
    text = "theme = 'dark'\n[profiles.a]\nbase_url = 'https://a.example'\nregion = 'x'\n"
    config.write_text(text, encoding="utf-8")
    assert read_profiles().named["a"].base_url == "https://a.example"
    with pytest.raises(aperiodic.InvalidInputError, match=r"theme, profiles\.a\.region"):
        write_profiles(read_profiles())
    assert config.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "content",
    [
        b"[profiles.a]\napi_key = 'secret-value",
        b"[profiles.a]\napi_key = secret-value\n",
        b"\xff\xfe",
        b"profiles = 3",
        b"profiles.a = 3",
        b"default = 3",
        b"[profiles.a]\napi_key = 3",
        b"[profiles.'a b']\napi_key = 'secret-value'",
        b"#" * ((1 << 20) + 1),
    ],
)
def test_a_file_that_cannot_be_read_is_named_without_what_stands_in_it(config: Path, content: bytes) -> None:
    config.parent.mkdir()
    config.write_bytes(content)
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        Account.parse(None, None)
    assert caught.value.code == "bad_config"
    assert str(config) in caught.value.message
    assert "secret" not in str(caught.value)
    assert Account.parse("mine", AWAY).api_key == "mine", "it is read only where it is needed"


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_PROFILE", "hme")
    with pytest.raises(aperiodic.InvalidInputError, match="aperiodic login --profile hme"):
        Account.parse(None, None)
    write_profiles(TWO)
    with pytest.raises(aperiodic.InvalidInputError, match="Did you mean 'home'") as caught:
        Account.parse(None, None)
    assert caught.value.code == "unknown_profile"


def test_the_file_is_where_such_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APERIODIC_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_file() == tmp_path / "aperiodic" / "config.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_file() == Path.home() / ".config" / "aperiodic" / "config.toml"
