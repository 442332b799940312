"""Faults of the set-up, told in plain words with what to do: addresses, proxies, certificates, forks, odd days."""

from __future__ import annotations

import gc
import multiprocessing
import socket
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import Reply, json_reply

import aperiodic
from aperiodic.client import forks, request, rest, retry, transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from tests.client.mock_api import FakeApi

DATA = "/data/ohlcv"


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": "There is nothing at this path.", "code": "unknown_path", "hint": "Elsewhere."}, 404),
        Reply(404, b"<html>"),
        Reply(200, b"<html>"),
    ],
)
def test_an_address_without_its_path_is_named(fake: FakeApi, reply: Reply) -> None:
    fake.api.on(DATA, reply)
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_ohlcv(**fake.request(base_url=fake.api.url))
    assert caught.value.hint == (
        f"The address of an Aperiodic API ends in /api/v1: try base_url='{fake.api.url}/api/v1'."
    )


def test_an_unknown_metric_keeps_the_servers_own_hint(fake: FakeApi) -> None:
    fake.reply(json_reply({"error": "Unknown metric.", "code": "unknown_metric", "hint": "Did you mean?"}, 404))
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.hint == "Did you mean?"


@pytest.mark.parametrize("reply", [json_reply({"error": "Unknown key.", "hint": "Check it."}, 401), Reply(404)])
def test_a_request_that_went_to_the_default_address_says_so(
    fake: FakeApi, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    monkeypatch.setattr(request, "DEFAULT_BASE_URL", fake.base_url)
    monkeypatch.setattr(rest, "DEFAULT_BASE_URL", fake.base_url)
    fake.reply(reply)
    with pytest.raises(aperiodic.APIError, match=r"the default\. For a server of your own set APERIODIC_API_URL"):
        aperiodic.get_ohlcv(**fake.request(base_url=None))


def test_a_refused_connection(fake: FakeApi, closed_port: int) -> None:
    with pytest.raises(aperiodic.AperiodicDataError) as caught:
        aperiodic.get_ohlcv(**fake.request(base_url=f"http://127.0.0.1:{closed_port}/api/v1"))
    assert caught.value.message == (
        f"The server could not be reached: nothing answers at 127.0.0.1:{closed_port} (connection refused)."
    )
    assert caught.value.code == "server_unreachable"


def test_a_name_that_does_not_exist(fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_options: object) -> Iterator[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(aperiodic.AperiodicDataError, match=r"the name api\.example cannot be resolved"):
        aperiodic.get_ohlcv(**fake.request(base_url="https://api.example/api/v1"))


def test_a_server_without_encryption(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.AperiodicDataError, match="It may speak http instead of https"):
        aperiodic.get_ohlcv(**fake.request(base_url=fake.base_url.replace("http:", "https:")))


def test_a_redirect_of_the_api_is_told_and_not_followed(fake: FakeApi) -> None:
    fake.reply(Reply(301, headers={"Location": "https://elsewhere.example/api/v1/data/ohlcv?interval=1h"}))
    with pytest.raises(aperiodic.APIError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.message == "The server redirects to https://elsewhere.example/api/v1/data/ohlcv."
    assert "base_url" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (Reply(302, headers={"Location": "/login"}), "Redirects are not followed"),
        (Reply(403), "A new link was refused too"),
        (Reply(410), "tell the operator"),
        (Reply(503, headers={"Retry-After": "0"}), "again later"),
        (Reply(drop=True), "Check the connection"),
        (Reply(body=b"short"), "tell the operator"),
    ],
)
def test_every_failed_download_says_what_to_do(fake: FakeApi, reply: Reply, hint: str) -> None:
    fake.publish("2025-01")
    fake.store.on("/2025-01", reply)
    with pytest.raises(aperiodic.DownloadError, match=hint) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert hint in (caught.value.hint or "")
    assert str(caught.value).count(hint) == 1


def test_a_folder_that_cannot_be_written_says_what_to_do(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish_raw("2025-01-01")
    (tmp_path / "file").touch()
    with pytest.raises(aperiodic.DownloadError, match="output_dir"):
        aperiodic.download_raw(**fake.raw_request(end_date="2025-01-01", output_dir=tmp_path / "file"))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "missing_package"),
        ("HTTP_PROXY", "what://127.0.0.1:1", "bad_proxy"),
        ("HTTP_PROXY", "http://127.0.0.1:99999", "bad_proxy"),
        ("NO_PROXY", "[::1]", "bad_proxy"),
        ("SSL_CERT_FILE", "/nonexistent.pem", "bad_certificates"),
    ],
)
def test_what_the_environment_asks_for_and_cannot_be_done(
    fake: FakeApi, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str
) -> None:
    monkeypatch.setenv(name, value)
    transport._certificates.cache_clear()
    with pytest.raises(aperiodic.AperiodicDataError) as caught:
        aperiodic.get_ohlcv(**fake.request())
    assert caught.value.code == code
    assert name in (caught.value.hint or "")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:99999", "http://127.0.0.1:0", "http://a b/api", "http://a/api v1", "http://a\x00/"]
)
def test_an_address_that_no_request_can_go_to(fake: FakeApi, address: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(base_url=address))
    assert caught.value.code == "bad_base_url"


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY_SECONDS", 0.0)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1" if by == "environment" else "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1" if by == "environment" else "")
    monkeypatch.setenv("NO_PROXY", "localhost,10.0.0.1")
    client = aperiodic.Client(
        api_key="k", base_url="http://far.example/v1", proxy="http://127.0.0.1:1" if by == "argument" else None
    )
    with client, pytest.raises(aperiodic.AperiodicDataError, match=r"nothing answers at the proxy 127\.0\.0\.1:1"):
        client.get_symbols("binance-futures")


def test_a_client_that_cannot_open_leaves_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(aperiodic.AperiodicDataError) as caught:
        aperiodic.Client(api_key="k", base_url="http://127.0.0.1:1/v1", proxy="http://127.0.0.1:99999").get_symbols(
            "binance-futures"
        )
    assert caught.value.code == "bad_proxy"
    del caught
    gc.collect()
    assert not [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)]


def _fetch_and_tell(answer: Connection, arguments: dict[str, Any]) -> None:
    try:
        aperiodic.get_ohlcv(**arguments)
    except aperiodic.AperiodicDataError as error:
        answer.send((error.code, error.hint))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Using fork.*")
def test_a_fork_after_polars_was_used_says_spawn_and_does_not_hang(fake: FakeApi) -> None:
    pl.DataFrame({"number": range(100_000)}).sort("number", descending=True)
    forking = multiprocessing.get_context("fork")
    here, there = forking.Pipe()
    child = forking.Process(target=_fetch_and_tell, args=(there, fake.request()))
    child.start()
    try:
        assert here.poll(60), "the child hangs"
        code, hint = here.recv()
    finally:
        child.kill()
        child.join()
        here.close()
        there.close()
    assert code == "forked_process"
    assert "spawn" in hint


def test_a_process_that_was_not_forked_reads(fake: FakeApi) -> None:
    forks.refuse_after_fork()
    fake.publish("2025-01")
    assert aperiodic.get_ohlcv(**fake.request()).height == 31 * 24


def test_days_of_other_libraries(fake: FakeApi) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    fake.publish("2025-01")
    days = [
        (numpy.datetime64("2025-01-02"), pandas.Timestamp("2025-01-03T10:00", tz="Asia/Tokyo")),
        (numpy.datetime64("2025-01-02T23:59:59.999999999"), numpy.datetime64("2025-01-03", "D")),
    ]
    for start, end in days:
        aperiodic.get_ohlcv(**fake.request(start_date=start, end_date=end))
        asked = fake.api.asked[-1].query
        assert (asked["start_date"], asked["end_date"]) == ("2025-01-02", "2025-01-03")
    for nothing in (pandas.NaT, numpy.datetime64("NaT")):
        with pytest.raises(aperiodic.InvalidInputError, match="is not a day") as caught:
            aperiodic.get_ohlcv(**fake.request(start_date=nothing))
        assert caught.value.code == "bad_start_date"


def test_a_column_of_another_dataset_is_told(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_metrics(**fake.request(metric="flow", columns=["close"]))
    assert caught.value.code == "unknown_column"
    assert "It is a column of ohlcv, not of flow." in str(caught.value)


def test_a_preview_is_wanted_or_not(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(preview="yes"))
    assert caught.value.code == "bad_preview"
    assert not fake.api.asked


@pytest.mark.parametrize("name", ["Flow", "OHLCV", "FLOW.Flow_Entropy"])
def test_names_are_described_in_whatever_case(name: str) -> None:
    assert aperiodic.describe(name).name == name.lower()
