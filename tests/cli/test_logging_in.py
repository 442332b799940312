from __future__ import annotations

import io
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import Done, Shell
from tests.client.mock_api import API_KEY, FakeApi, MockServer, json_reply

import aperiodic
from aperiodic.client.profiles import Profile, Profiles, read_profiles, write_profiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "/api/v1/account"


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with MockServer() as api, MockServer() as store:
        made = FakeApi(api, store)
        api.on(ACCOUNT, json_reply({"plan": {"name": "prime"}}))
        yield made


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "config.toml"
    monkeypatch.setenv("APERIODIC_CONFIG", str(path))
    return path


def login(tmp_path: Path, *words: str, key: str = API_KEY, **env: str) -> Done:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(f"{key}\n"))
        done = Shell(tmp_path, env).run_here("login", *words)
    assert key not in done.out + done.err
    return done


def test_a_key_is_kept_where_only_its_owner_reads_it(fake: FakeApi, config: Path, tmp_path: Path) -> None:
    done = login(tmp_path, "--url", fake.base_url)
    assert (done.code, done.err) == (0, "")
    assert "The key is of the plan prime." in done.out
    assert "is used by default" in done.out
    assert read_profiles() == Profiles({"main": Profile(fake.base_url, API_KEY)}, "main")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert [asked.headers["x-api-key"] for asked in fake.api.asked] == [API_KEY]


def test_the_client_and_its_commands_use_it(fake: FakeApi, config: Path, tmp_path: Path) -> None:
    login(tmp_path, "--url", fake.base_url)
    fake.publish("2025-01", missing=[])
    asked = {name: value for name, value in fake.request().items() if name not in {"api_key", "base_url"}}
    assert aperiodic.get_ohlcv(**asked).height == 31 * 24
    words = ("ohlcv", "--interval", "1h", "--exchange", asked["exchange"], "--symbol", asked["symbol"])
    days = ("--start", "2025-01-01", "--end", "2025-01-31")
    done = Shell(tmp_path).run_here("estimate", *words, *days)
    assert (done.code, done.out.startswith("1 series (all complete), 1 file")) == (0, True)
    assert {one.headers["x-api-key"] for one in fake.api.asked} == {API_KEY}
    assert config.is_file()


def test_several_profiles_stand_beside_each_other(fake: FakeApi, config: Path, tmp_path: Path) -> None:
    login(tmp_path, "--url", fake.base_url)
    other = login(
        tmp_path, "--url", "https://other.example/api/v1", "--profile", "other", "--no-check", key="other-key"
    )
    assert "is used with APERIODIC_PROFILE=other or --profile other" in other.out
    listed = login(tmp_path, "--list", key="nothing-read")
    assert listed.out == f"* main  {fake.base_url}\n  other  https://other.example/api/v1\n"
    assert login(tmp_path, "--profile", "main", key="changed-key").code == 0
    assert read_profiles().named["main"] == Profile(fake.base_url, "changed-key"), "the address stays"
    login(tmp_path, "--profile", "other", "--no-check", "--default", key="other-key")
    assert read_profiles().default == "other"
    assert login(tmp_path, "--remove", APERIODIC_PROFILE="other", key="nothing-read").code == 0
    assert read_profiles() == Profiles({"main": Profile(fake.base_url, "changed-key")}, None)
    assert "Did you mean 'main'" in login(tmp_path, "--remove", "--profile", "man", key="nothing-read").err
    assert config.is_file()


@pytest.mark.parametrize(
    ("words", "key", "said"),
    [
        ((), "ap_live_wrong", "No such key"),
        (("--no-check",), "", "No API key was given"),
        (("--no-check",), "two words", "characters that no key has"),
        (("--no-check",), "é", "characters that no key has"),
        (("--no-check", "--url", "ftp://x"), "some-key", "is not the address of an API"),
        (("--no-check", "--profile", "a b"), "some-key", "cannot be the name of a profile"),
    ],
)
def test_what_cannot_work_is_not_kept(
    fake: FakeApi, config: Path, tmp_path: Path, words: tuple[str, ...], key: str, said: str
) -> None:
    fake.api.on(ACCOUNT, json_reply({"error": "No such key.", "code": "unknown_key"}, 401))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(key))
        done = Shell(tmp_path, {"APERIODIC_API_URL": fake.base_url}).run_here("login", *words)
    assert done.code == 1
    assert said in done.err
    assert not config.exists()


def test_a_server_without_accounts_keeps_the_key_unchecked(fake: FakeApi, config: Path, tmp_path: Path) -> None:
    fake.api.on(ACCOUNT, json_reply({"error": "Nothing here."}, 404))
    done = login(tmp_path, "--url", fake.base_url)
    assert done.code == 0
    assert "plan" not in done.out
    assert config.is_file()


def test_a_variable_that_goes_first_is_said(fake: FakeApi, config: Path, tmp_path: Path) -> None:
    done = login(tmp_path, "--no-check", APERIODIC_API_URL=fake.base_url, APERIODIC_API_KEY="in-the-way")
    assert done.err.splitlines() == [
        "warning: APERIODIC_API_KEY is set and goes before the profile.",
        "warning: APERIODIC_API_URL is set and goes before the profile.",
    ]
    assert "in-the-way" not in done.out + done.err
    assert config.is_file()


def test_an_option_names_the_profile_of_one_command(fake: FakeApi, config: Path, tmp_path: Path) -> None:
    write_profiles(
        Profiles({"away": Profile("http://127.0.0.1:9/api/v1", "a"), "here": Profile(fake.base_url, "b")}, "away")
    )
    fake.api.on("/api/v1/metadata/coverage", json_reply({"series": [], "next": None}))
    done = Shell(tmp_path).run_here("coverage", "--exchange", "binance-futures", "--profile", "here")
    assert done.code == 0, done.err
    assert {one.headers["x-api-key"] for one in fake.api.asked} == {"b"}
    assert config.is_file()
