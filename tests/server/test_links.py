from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import httpx
import pytest
from tests.server.conftest import BTC, DATA, Installation, RunningServer, publish, query
from tests.server.in_process import App, application, put_ticks

from aperiodic.catalog import DATASETS
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.market import Exchange, Source, Stream
from aperiodic.server.errors import RequestError
from aperiodic.server.links.signing import base_url, check_link, make_link, sign

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def link(api: httpx.Client) -> str:
    url: str = api.get(DATA, params=query()).json()["files"][0]["url"]
    return url


def assert_refused(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert answer.json()["hint"]
    assert "PAR1" not in answer.text


def signed(installation: Installation, url: str, path: str, lifetime: int = 60) -> str:
    """Return a link that this server would accept, whatever the path."""
    expires = int(time.time()) + lifetime
    signature = sign(installation.secrets.link_key, urlsplit(url).netloc, path, expires)
    return f"{url}/files/{quote(path)}?expires={expires}&signature={signature}"


def test_a_link_lives_five_minutes() -> None:
    link = make_link(b"key", "http://x", "bars/a.parquet", now=1000.4)
    assert "expires=1301&" in link


def test_an_expired_link_is_refused(server: RunningServer, installation: Installation, link: str) -> None:
    path = urlsplit(link).path.removeprefix("/files/")
    assert httpx.get(signed(installation, server.url, path)).status_code == 200
    assert_refused(httpx.get(signed(installation, server.url, path, lifetime=0)), "link_expired")


@pytest.mark.parametrize(
    "alter",
    [
        lambda link: link.replace("month=04", "month=06"),
        lambda link: link.replace("/files/bars", "/files//bars"),
        lambda link: link.replace("/files/bars", "/files/x/../bars"),
        lambda link: link.replace("/files/bars", "/files/./bars"),
        lambda link: link.replace("?expires=1", "?expires=2"),
        lambda link: link.replace("?expires=", "?expires=0"),
        lambda link: link[:-1] + ("0" if link[-1] != "0" else "1"),
        lambda link: link[:-1],
        lambda link: link + "0",
        lambda link: link + "&x=1",
        lambda link: link + "&expires=9999999999",
        lambda link: link.split("&")[0],
        lambda link: link.split("?")[0],
        lambda link: link.split("signature=")[0] + "signature=" + "%C3%A9" * 64,
        lambda link: link.split("signature=")[0] + "signature=" + link.split("signature=")[1].upper(),
    ],
)
def test_an_altered_link_is_refused(server: RunningServer, api: httpx.Client, alter: Callable[[str], str]) -> None:
    link: str = api.get(DATA, params=query(), headers={"Host": "test.example"}).json()["files"][0]["url"]
    whole, parts = urlsplit(link), urlsplit(alter(link))
    assert server.get_raw(f"{whole.path}?{whole.query}")[0] == 200
    status, headers, body = server.get_raw(f"{parts.path}?{parts.query}".encode().decode("latin-1"))
    assert status == 403
    assert b'"link_invalid"' in body
    assert headers["x-request-id"].encode() in body


def test_the_signature_of_another_object_is_refused(api: httpx.Client) -> None:
    april, june = (entry["url"] for entry in api.get(DATA, params=query()).json()["files"])
    assert_refused(api.get(f"{april.split('?')[0]}?{june.split('?')[1]}"), "link_invalid")


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "%2e%2e/secret",
        "%252e%252e/secret",
        "..%2fsecret",
        "..%5csecret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "bars/%00",
        "bars/..%00/../secret",
        "%c0%ae%c0%ae/secret",
    ],
)
def test_a_path_outside_is_refused_whoever_asks(server: RunningServer, installation: Installation, path: str) -> None:
    secret = (installation.settings.home / "secret").read_bytes().strip()
    expires = int(time.time()) + 60
    unsigned = f"/files/{path}?expires={expires}&signature={'0' * 64}"
    status, _, body = server.get_raw(unsigned)
    assert status == 403
    assert secret not in body


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "../ledger.sqlite", "bars/nothing.parquet", "bars/\0"])
def test_a_signed_path_that_the_ledger_does_not_know_is_no_file(
    server: RunningServer, installation: Installation, path: str
) -> None:
    expires = int(time.time()) + 60
    signature = sign(installation.secrets.link_key, "test.example", path, expires)
    target = f"/files/{quote(path, safe='')}?expires={expires}&signature={signature}"
    status, _, body = server.get_raw(target)
    assert status == 404
    assert b'"object_missing"' in body


@pytest.mark.parametrize(
    "key",
    [
        ObjectKey.day_bars("trades", Exchange.OKX_PERPS, BTC, date(2025, 5, 1)),
        ObjectKey.book_state(Exchange.OKX_PERPS, BTC, 7),
        ObjectKey.quarantine(Exchange.OKX_PERPS, "a" * 64),
    ],
    ids=lambda key: key.kind,
)
def test_what_is_not_published_is_not_served_even_with_a_signature(
    server: RunningServer, installation: Installation, key: ObjectKey
) -> None:
    batch = installation.lake.batch()
    batch.put(NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint="f", reason="test"), key.kind.encode())
    batch.commit()
    record = installation.lake.find(key)
    assert record is not None
    assert httpx.get(signed(installation, server.url, record.path)).json()["code"] == "object_missing"


@pytest.mark.parametrize(
    "host", ["other.example", "127.0.0.1", "127.0.0.1:1", "localhost:{port}", "127.0.0.1:{port}.evil.example", ""]
)
def test_a_link_leads_to_the_host_that_gave_it_and_to_no_other(link: str, host: str) -> None:
    given = host.format(port=urlsplit(link).port)
    assert httpx.get(link).status_code == 200
    answer = httpx.get(link, headers={"Host": given})
    assert answer.status_code in ({400, 403} if not host else {403})
    assert b"PAR1" not in answer.content


def checked(base: str, host: str) -> str:
    """Make a link that begins with `base`, and check it as if it had been sent to `host`."""
    parts = urlsplit(make_link(b"key", base, "bars/a.parquet", time.time()))
    path = parts.path.removeprefix("/prefix").encode()
    return check_link(b"key", host, path, parts.query.encode(), time.time())


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://data.example", "data.example"),
        ("https://Data.Example:443", "DATA.example"),
        ("http://data.example:80", "data.example"),
        ("https://data.example/prefix", "data.example"),
        ("http://data.example:8000", "data.example:8000"),
    ],
)
def test_a_host_may_be_written_as_clients_do(base: str, host: str) -> None:
    assert checked(base, host) == "bars/a.parquet"


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://data.example:8000", "data.example"),
        ("https://data.example", "data.example:8000"),
        ("https://data.example", "adata.example"),
        ("https://data.example", ""),
    ],
)
def test_another_host_is_another_link(base: str, host: str) -> None:
    with pytest.raises(RequestError) as caught:
        checked(base, host)
    assert caught.value.code == "link_invalid"


FAMILIES = {
    "ohlcv": "ohlcv",
    **dict.fromkeys(("l1_price", "l1_imbalance", "l1_liquidity"), "l1-metrics"),
    **dict.fromkeys(("l2_imbalance", "l2_liquidity"), "l2-metrics"),
    **dict.fromkeys(("basis", "funding", "open_interest", "derivative_price"), "derivative-metrics"),
}


def test_every_dataset_belongs_to_the_family_that_clients_know() -> None:
    families = {name: metric.link_host for name, metric in DATASETS.items()}
    assert families == {name: FAMILIES.get(name, "trade-metrics") for name in DATASETS}


def test_each_family_has_a_host_of_its_own_and_the_public_one_is_for_the_rest(tmp_path: Path) -> None:
    hosts = {"ohlcv": "https://ohlcv.example", "raw": "https://raw.example:8443"}
    with application(tmp_path, link_hosts=hosts, public_url="https://data.example/") as app:
        publish(app.lake, date(2025, 5, 1))
        publish(app.lake, date(2025, 5, 1), dataset="flow")
        day = put_ticks(app.lake, Stream.TRADES, Exchange.BINANCE_FUTURES, BTC, date(2025, 5, 1))
        headers = app.headers("prime-raw")
        links = {}
        for path in ("ohlcv", "flow", "raw/trades"):
            names = ("exchange", "symbol", "start_date", "end_date") if path.startswith("raw") else query()
            asked = {name: query()[name] for name in names}
            links[path] = app.client.get(f"/api/v1/data/{path}", params=asked, headers=headers).json()["files"][0][
                "url"
            ]
        assert [link.split("/files/")[0] for link in links.values()] == [
            "https://ohlcv.example",
            "https://data.example",
            "https://raw.example:8443",
        ]
        assert app.client.get(links["raw/trades"]).content == day
        moved = links["raw/trades"].replace("raw.example:8443", "ohlcv.example")
        assert_refused(app.client.get(moved), "link_invalid")


def test_a_superseded_revision_is_served_while_its_link_lives(api: httpx.Client, installation: Installation) -> None:
    before = publish(installation.lake, date(2024, 1, 1))
    january = query(start_date="2024-01-01", end_date="2024-01-31")
    first = api.get(DATA, params=january).json()["files"][0]
    after = publish(installation.lake, date(2024, 1, 1), rows=4)
    second = api.get(DATA, params=january).json()["files"][0]
    assert (first["revision"], second["revision"]) == (1, 2)
    assert api.get(first["url"]).content == before
    assert api.get(second["url"]).content == after


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_lost_from_the_store_is_an_error_and_not_a_broken_body(
    api: httpx.Client, installation: Installation, method: str
) -> None:
    data = publish(installation.lake, date(2023, 1, 1))
    url = api.get(DATA, params=query(start_date="2023-01-01", end_date="2023-01-31")).json()["files"][0]["url"]
    path = urlsplit(url).path.removeprefix("/files/")
    file = installation.settings.home / "store" / path
    file.unlink()
    answer = api.request(method, url)
    file.write_bytes(data)  # others read it
    assert answer.status_code == 404
    assert method == "HEAD" or answer.json()["code"] == "object_missing"
    assert str(Path(installation.settings.home)) not in answer.text


def test_head_says_what_get_would_send(server: RunningServer, link: str) -> None:
    got, head = httpx.get(link), httpx.head(link)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges", "content-disposition", "cache-control"):
        assert head.headers[name] == got.headers[name]
    assert head.headers["accept-ranges"] == "bytes"
    assert head.headers["cache-control"].startswith("private")
    name = "ohlcv-binance-futures-perpetual-BTC-USDT_USDT-5m-exchange-2025-04.parquet"
    assert head.headers["content-disposition"] == f'attachment; filename="{name}"'
    part = httpx.head(link, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"], part.content) == (206, "10", b"")
    assert server.process.poll() is None


def test_other_methods_are_refused(link: str) -> None:
    assert httpx.put(link, content=b"x").status_code == 405
    assert httpx.delete(link).json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-0", 0, 1), ("bytes=4-9", 4, 10), ("bytes=100-", 100, None), ("bytes=-8", -8, None)],
)
def test_a_range_is_that_part_of_the_file(link: str, header: str, first: int, last: int | None) -> None:
    whole = httpx.get(link).content
    part = httpx.get(link, headers={"Range": header})
    assert part.status_code == 206
    assert part.content == whole[first:last]
    begin = first % len(whole)
    assert part.headers["content-range"] == f"bytes {begin}-{begin + len(part.content) - 1}/{len(whole)}"


def test_a_range_that_reaches_past_the_end_is_cut(link: str) -> None:
    whole = httpx.get(link).content
    part = httpx.get(link, headers={"Range": "bytes=10-999999"})
    assert (part.status_code, part.content) == (206, whole[10:])
    assert httpx.get(link, headers={"Range": "bytes=-999999"}).content == whole


@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=999999-1000000", "bytes=-0"])
def test_a_range_outside_the_file_is_refused(link: str, header: str) -> None:
    size = len(httpx.get(link).content)
    answer = httpx.get(link, headers={"Range": header})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("header", ["bytes=0-1,4-5", "bytes=9-4", "bytes=a-b", "bytes=-", "lines=0-1", "bytes=٣-٤"])
def test_a_range_that_is_malformed_or_manifold_gets_the_whole_file(link: str, header: str) -> None:
    answer = httpx.get(link, headers={b"Range": header.encode()})
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])


def test_a_file_that_the_client_has_is_not_sent_again(link: str) -> None:
    tag = httpx.head(link).headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        answer = httpx.get(link, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert httpx.get(link, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_range_of_another_version_gets_the_whole_file(link: str) -> None:
    tag = httpx.head(link).headers["etag"]
    assert httpx.get(link, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
    assert httpx.get(link, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


def test_a_notebook_in_a_browser_may_use_api_and_links(api: httpx.Client, link: str) -> None:
    origin = {"Origin": "https://notebook.example"}
    for url in (link, "/api/v1/metadata/catalog", "/api/v1/nothing"):
        answer = api.get(url, headers=origin)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key, range"}
    allowed = api.options(DATA, headers={**origin, **asked})
    assert allowed.is_success
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert "GET" in allowed.headers["access-control-allow-methods"]
    assert "x-api-key" in allowed.headers["access-control-allow-headers"].lower()


def test_a_configured_address_wins_over_the_host_header() -> None:
    assert base_url("https://data.example/lake/", "http", "internal:8000") == "https://data.example/lake"
    assert base_url(None, "http", "[::1]:8000") == "http://[::1]:8000"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_link_never_follows_a_symbolic_link(tmp_path: Path, method: str) -> None:
    with application(tmp_path / "home") as app:
        publish(app.lake, date(2025, 4, 1))
        link = _first_link(app)
        assert app.client.request(method, link).status_code == 200
        file = _stored(app.settings.home, link)
        elsewhere = tmp_path / "elsewhere"
        file.parent.rename(elsewhere)
        file.parent.symlink_to(elsewhere)
        assert app.client.request(method, link).status_code == 404
        file.parent.unlink()
        file.parent.mkdir()
        file.symlink_to(elsewhere / file.name)
        answer = app.client.request(method, link)
        assert (answer.status_code, b"PAR1" in answer.content) == (404, False)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_than_the_ledger_says_is_503(tmp_path: Path, method: str, change: int) -> None:
    with application(tmp_path) as app:
        data = publish(app.lake, date(2025, 4, 1))
        link = _first_link(app)
        _stored(app.settings.home, link).write_bytes((data + b"x")[: len(data) + change])
        answer = app.client.request(method, link)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert method == "HEAD" or answer.json()["code"] == "unavailable"


def _first_link(app: App) -> str:
    answer = app.client.get(DATA, params=query(), headers=app.headers("pro"))
    parts = urlsplit(answer.json()["files"][0]["url"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return f"{parts.path}?{parts.query}"


def _stored(home: Path, link: str) -> Path:
    return home / "store" / unquote(urlsplit(link).path).removeprefix("/files/")
