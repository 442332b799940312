"""What may be tried against a server on the internet, and the answer that each try gets."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tests.server.conftest import BTC, DATA, RunningServer, query

from aperiodic.accounts.keys import public_id_of
from aperiodic.server.links.signing import sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.server import Secrets

HOST = "test.example"
HUGE = "9" * 40
SQL = "' OR 1=1; DROP TABLE objects; --"
SIGNUP, ROTATE = "/api/v1/signup", "/api/v1/account/rotate"
RAW = "/api/v1/data/raw/trades"


@dataclass(frozen=True)
class Prey:
    """A server with data, as attackers know it, and what must not get to them.

    Attributes:
        server: The server.
        links: Valid links to two objects, path and query alone.
        keys: Keys by what became of them; `good` and `other` are valid.
        secrets: The installation's own.
        private: What no answer may hold.
    """

    server: RunningServer
    links: tuple[str, str]
    keys: dict[str, str]
    secrets: Secrets
    private: tuple[bytes, ...]

    @property
    def link(self) -> str:
        return self.links[0]

    @property
    def path(self) -> str:
        return self.link.split("?")[0]

    @property
    def expires(self) -> str:
        return self.link.split("expires=")[1].split("&")[0]

    @property
    def signature(self) -> str:
        return self.link.split("signature=")[1]

    def signed(self, path: str, expires: int) -> str:
        """A link as the server itself would make it."""
        return f"/files/{quote(path)}?expires={expires}&signature={sign(self.secrets.link_key, HOST, path, expires)}"


def encoded(**changes: str | None) -> str:
    """The query of a request for bars, as nobody would object to it but for the changes."""
    return "&".join(f"{name}={quote(value)}" for name, value in query(**changes).items())


def send(target: str, *headers: str, method: str = "GET", host: str = HOST, body: bytes = b"") -> bytes:
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def post(target: str, *headers: str) -> bytes:
    return send(target, "Content-Length: 0", *headers, method="POST")


def latin(text: str) -> str:
    """Text whose UTF-8 bytes stand in the request as they are."""
    return text.encode().decode("latin-1")


class Attack(NamedTuple):
    """A request, and the answer to it."""

    request: Callable[[Prey], bytes]
    status: int
    code: str


def on_link(alter: Callable[[Prey], str], status: int = 403, code: str = "link_invalid", **options: Any) -> Attack:
    return Attack(lambda prey: send(alter(prey), **options), status, code)


def with_expiry(expires: str) -> Attack:
    return on_link(lambda prey: f"{prey.path}?expires={expires}&signature={prey.signature}")


def with_path(path: str) -> Attack:
    return on_link(lambda prey: f"{path}?expires={prey.expires}&signature={prey.signature}")


def by_key(alter: Callable[[dict[str, str]], str], code: str = "unknown_key") -> Attack:
    return Attack(lambda prey: send(f"{DATA}?{encoded()}", f"X-API-KEY: {alter(prey.keys)}"), 401, code)


def by_headers(headers: Callable[[dict[str, str]], tuple[str, ...]], status: int, code: str) -> Attack:
    return Attack(lambda prey: send(f"{DATA}?{encoded()}", *headers(prey.keys)), status, code)


def asking(target: str, code: str, status: int = 400) -> Attack:
    return Attack(lambda prey: send(target, f"X-API-KEY: {prey.keys['good']}"), status, code)


def asking_for(code: str, status: int = 400, **changes: str) -> Attack:
    return asking(f"{DATA}?{encoded(**changes)}", code, status)


def as_host(host: str, status: int = 400, code: str = "bad_host") -> Attack:
    return Attack(lambda prey: send(f"{DATA}?{encoded()}", f"X-API-KEY: {prey.keys['good']}", host=host), status, code)


def by_method(method: str, target: Callable[[Prey], str]) -> Attack:
    return Attack(
        lambda prey: send(target(prey), f"X-API-KEY: {prey.keys['good']}", "Content-Length: 0", method=method),
        405,
        "method_not_allowed",
    )


def from_site(path: str, origin: str) -> Attack:
    return Attack(lambda prey: post(path, f"X-API-KEY: {prey.keys['good']}", f"Origin: {origin}"), 403, "cross_site")


def smuggling(*headers: str, body: bytes, status: int = 400, code: str = "bad_request") -> Attack:
    """A body whose end two servers would see at different places, with a request behind one of them.

    It does not ask for the connection to be closed, so that a server that sees the second request answers it.
    """
    head = "\r\n".join([f"POST {ROTATE} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]).encode()
    hidden = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    return Attack(lambda _: head + body + hidden, status, code)


ATTACKS = {
    # Links
    "link: expired": on_link(
        lambda prey: prey.signed(prey.path.removeprefix("/files/"), 1_700_000_000), 403, "link_expired"
    ),
    "link: another month": on_link(lambda prey: prey.link.replace("month=04", "month=06")),
    "link: another object": on_link(lambda prey: prey.links[1].split("?")[0] + "?" + prey.link.split("?")[1]),
    "link: a parameter more": on_link(lambda prey: f"{prey.link}&x=1"),
    "link: parameters in another order": on_link(
        lambda prey: f"{prey.path}?signature={prey.signature}&expires={prey.expires}"
    ),
    "link: a parameter's name encoded": on_link(lambda prey: prey.link.replace("expires=", "%65xpires=")),
    "link: no query": on_link(lambda prey: prey.path),
    "link: no signature": on_link(lambda prey: prey.link.split("&")[0]),
    "link: empty signature": on_link(lambda prey: prey.link.removesuffix(prey.signature)),
    "link: two signatures": on_link(lambda prey: f"{prey.link}&signature={prey.signature}"),
    "link: shorter signature": on_link(lambda prey: prey.link[:-1]),
    "link: longer signature": on_link(lambda prey: f"{prey.link}0"),
    "link: signature of zeros": on_link(lambda prey: prey.link.replace(prey.signature, "0" * 64)),
    "link: signature in capitals": on_link(lambda prey: prey.link.replace(prey.signature, prey.signature.upper())),
    "link: signature beyond ASCII": on_link(
        lambda prey: prey.link.replace(prey.signature, latin("é" * 64)), 400, "bad_request"
    ),
    "link: signature without a key": on_link(
        lambda prey: prey.link.replace(prey.signature, hashlib.sha256(prey.path.encode()).hexdigest())
    ),
    "link: no expiry": on_link(lambda prey: f"{prey.path}?signature={prey.signature}"),
    "link: empty expiry": with_expiry(""),
    "link: two expiries": on_link(lambda prey: f"{prey.link}&expires=9999999999"),
    "link: expiry a second later": on_link(lambda prey: prey.link.replace(prey.expires, str(int(prey.expires) + 1))),
    "link: expiry in a thousand years": with_expiry("33000000000"),
    "link: negative expiry": with_expiry("-1"),
    "link: expiry with a sign": on_link(lambda prey: prey.link.replace(prey.expires, f"%2B{prey.expires}")),
    "link: expiry with a zero before": on_link(lambda prey: prey.link.replace(prey.expires, f"0{prey.expires}")),
    "link: expiry as a fraction": on_link(lambda prey: prey.link.replace(prey.expires, f"{prey.expires}.0")),
    "link: expiry in Arabic digits": with_expiry("%D9%A1%D9%A7%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0"),
    "link: huge expiry": with_expiry(HUGE * 100),
    "link: other host": on_link(lambda prey: prey.link, host="evil.example"),
    "link: other port": on_link(lambda prey: prey.link, host=f"{HOST}:8443"),
    "link: host with a dot behind": on_link(lambda prey: prey.link, host=f"{HOST}."),
    "link: host below another": on_link(lambda prey: prey.link, host=f"{HOST}.evil.example"),
    "link: user in the host": on_link(lambda prey: prey.link, host=f"{HOST}@evil.example"),
    "link: two hosts": Attack(lambda prey: send(prey.link, "Host: evil.example"), 403, "link_invalid"),
    "link: host in the request line": on_link(lambda prey: f"http://evil.example{prey.link}", host="evil.example"),
    "link: traversal": with_path("/files/bars/../../secret"),
    "link: traversal from the object": on_link(lambda prey: prey.link.replace("?", "/../../../secret?")),
    "link: traversal encoded": with_path("/files/%2e%2e/secret"),
    "link: traversal encoded twice": with_path("/files/%252e%252e%252fsecret"),
    "link: traversal overlong": with_path("/files/%c0%ae%c0%ae%c0%af%c0%ae%c0%ae/secret"),
    "link: traversal in full width": with_path("/files/%EF%BC%8E%EF%BC%8E%EF%BC%8Fsecret"),
    "link: traversal with backslashes": with_path("/files/..%5c..%5csecret"),
    "link: absolute path": with_path("/files//etc/passwd"),
    "link: NUL": on_link(lambda prey: prey.link.replace("?", "%00?")),
    "link: NUL before another end": on_link(lambda prey: prey.link.replace(".parquet?", ".parquet%00.txt?")),
    "link: line break": on_link(lambda prey: prey.link.replace("/files/", "/files/%0d%0aX-Evil:%201%0d%0a/")),
    "link: encoded twice": on_link(lambda prey: prey.link.replace("=", "%253D", 1)),
    "link: path parameter": on_link(lambda prey: prey.link.replace("?", ";x=1?")),
    "link: slash twice": on_link(lambda prey: prey.link.replace("/files/", "/files//")),
    "link: this folder": on_link(lambda prey: prey.link.replace("/files/", "/files/./")),
    "link: path in capitals": on_link(lambda prey: prey.link.replace("/bars/", "/BARS/")),
    "link: homoglyph symbol": on_link(lambda prey: prey.link.replace("BTC", "%D0%92TC")),
    "link: symbol in full width": on_link(lambda prey: prey.link.replace("BTC", "%EF%BC%A2TC")),
    "link: unpaired surrogate": on_link(lambda prey: prey.link.replace("BTC", "%ED%A0%80")),
    "link: the ledger, signed": on_link(
        lambda prey: prey.signed("../ledger.sqlite", int(time.time()) + 60), 404, "object_missing"
    ),
    **{f"link: {method}": by_method(method, lambda prey: prey.link) for method in ("POST", "PUT", "DELETE", "TRACE")},
    # Keys
    "key: none": by_headers(lambda _: (), 401, "missing_key"),
    "key: guessed": by_key(lambda _: f"ap_live_{'0' * 12}_{'x' * 40}"),
    "key: wrong secret": by_key(lambda held: held["good"][:-1] + ("a" if held["good"][-1] != "a" else "b")),
    "key: secret of another": by_key(lambda held: held["good"][:21] + held["other"][21:]),
    "key: truncated": by_key(lambda held: held["good"][:-1]),
    "key: public id alone": by_key(lambda held: public_id_of(held["good"])),
    "key: longer": by_key(lambda held: f"{held['good']}a"),
    "key: in capitals": by_key(lambda held: held["good"].upper()),
    "key: wildcards": by_key(lambda _: f"ap_live_{'_' * 12}_{'%' * 40}"),
    "key: SQL": by_key(lambda _: SQL),
    "key: of 64 KB": by_key(lambda held: held["good"] + "a" * 65_536),
    "key: of a megabyte": by_headers(lambda _: (f"X-API-KEY: {'a' * 1_000_000}",), 431, "headers_too_large"),
    "key: beyond ASCII": by_key(lambda held: latin(held["good"][:-1] + "é")),
    "key: look-alike": by_key(lambda held: latin(held["good"].replace("a", "\N{CYRILLIC SMALL LETTER A}"))),
    "key: NUL": by_headers(lambda held: (f"X-API-KEY: {held['good']}\0",), 400, "bad_request"),
    "key: bare line feed": by_headers(
        lambda held: (f"X-API-KEY: {held['revoked']}\n {held['good'][8:]}",), 400, "bad_request"
    ),
    "key: line break": by_key(lambda held: f"{held['revoked']}\r\nX-Evil: 1", "revoked_key"),
    "key: folded line": by_headers(
        lambda held: (f"X-API-KEY: {held['good'][:30]}\r\n {held['good'][30:]}",), 400, "bad_request"
    ),
    "key: revoked": by_key(lambda held: held["revoked"], "revoked_key"),
    "key: expired": by_key(lambda held: held["expired"], "expired_key"),
    "key: replaced": by_key(lambda held: held["old"], "expired_key"),
    "key: a wrong and a right one": by_headers(
        lambda held: (f"X-API-KEY: {held['revoked']}", f"X-API-KEY: {held['good']}"), 401, "unknown_key"
    ),
    "key: a right and a wrong one": by_headers(
        lambda held: (f"X-API-KEY: {held['good']}", f"X-API-KEY: {held['revoked']}"), 401, "unknown_key"
    ),
    "key: two in one": by_key(lambda held: f"{held['good']}, {held['good']}"),
    "key: in the query": Attack(
        lambda prey: send(f"{DATA}?{encoded()}&X-API-KEY={prey.keys['good']}"), 401, "missing_key"
    ),
    "key: as a bearer": by_headers(lambda held: (f"Authorization: Bearer {held['good']}",), 401, "missing_key"),
    "key: in a cookie": by_headers(lambda held: (f"Cookie: X-API-KEY={held['good']}",), 401, "missing_key"),
    "key: under_score": by_headers(lambda held: (f"X_API_KEY: {held['good']}",), 401, "missing_key"),
    # Parameters
    "SQL: metric": asking(f"/api/v1/data/{quote(SQL, safe='')}?{encoded()}", "unknown_metric", 404),
    "SQL: timestamp": asking_for("unknown_timestamp", timestamp=f"true{SQL}"),
    "SQL: interval": asking_for("unknown_interval", interval=f"5m{SQL}"),
    "SQL: exchange": asking_for("unknown_exchange", exchange=f"binance-futures{SQL}"),
    "SQL: symbol": asking_for("bad_symbol", symbol=f"{BTC}{SQL}"),
    "SQL: symbol without spaces": asking_for("bad_symbol", symbol=f"{BTC}'/**/OR/**/1=1"),
    "SQL: start_date": asking_for("bad_date", start_date=f"2025-04-10{SQL}"),
    "SQL: end_date": asking_for("bad_date", end_date=f"2025-04-10{SQL}"),
    "SQL: as_of": asking_for("bad_as_of", as_of=f"2025-04-10{SQL}"),
    "SQL: coverage's after": asking(
        f"/api/v1/metadata/coverage?exchange=binance-futures&after={quote(SQL)}", "bad_symbol"
    ),
    "SQL: conditions' stream": asking(
        f"/api/v1/metadata/conditions?exchange=binance-futures&symbol={BTC}&stream=trades{quote(SQL)}"
        "&start_date=2025-04-01&end_date=2025-04-02",
        "unknown_stream",
    ),
    "value: wildcard": asking_for("bad_symbol", symbol="perpetual-%-USDT:USDT"),
    "value: of 4 KB": asking_for("unknown_interval", interval="m" * 3_500),
    "value: of 60 KB": asking_for("query_too_long", 414, symbol="x" * 60_000),
    "value: a path": asking_for("bad_symbol", symbol="../../../../etc/passwd"),
    "value: a URL": asking_for("bad_symbol", symbol="http://evil.example/"),
    "value: a template": asking_for("bad_symbol", symbol="{{7*7}}${7*7}%{7*7}"),
    "value: a script": asking_for("unknown_interval", interval="<script>alert(1)</script>"),
    "value: line break": asking_for("unknown_exchange", exchange="binance-futures\r\nX-Evil: 1"),
    "value: NUL": asking_for("bad_symbol", symbol=f"{BTC}\0"),
    "value: homoglyph symbol": asking_for(
        "unknown_symbol", 404, symbol=str(BTC).replace("B", "\N{CYRILLIC CAPITAL LETTER VE}")
    ),
    "value: symbol in full width": asking_for(
        "unknown_symbol", 404, symbol=str(BTC).replace("BTC", "\uff22\uff34\uff23")
    ),
    "value: a zero-width space": asking_for("bad_symbol", symbol=str(BTC).replace("BTC", "B\u200bTC")),
    "value: overlong UTF-8": asking(f"{DATA}?{encoded(symbol=None)}&symbol=perpetual-%c1%82TC-USDT:USDT", "bad_symbol"),
    "value: interval in full width": asking_for("unknown_interval", interval="\uff15m"),
    "value: interval in capitals": asking_for("unknown_interval", interval="5M"),
    "value: interval with a space": asking_for("unknown_interval", interval="5m "),
    "value: interval with a zero": asking_for("unknown_interval", interval="05m"),
    "value: clock look-alike": asking_for("unknown_timestamp", timestamp="tru\N{CYRILLIC SMALL LETTER IE}"),
    "value: exchange with another hyphen": asking_for("unknown_exchange", exchange="binance\N{HYPHEN}futures"),
    "date: negative": asking_for("bad_date", start_date="-2025-04-10"),
    "date: huge": asking_for("bad_date", end_date=f"{HUGE}-01-01"),
    "date: year 10000": asking_for("bad_date", end_date="10000-01-01"),
    "date: Arabic digits": asking_for("bad_date", start_date="\u0662\u0660\u0662\u0665-\u0660\u0664-\u0661\u0660"),
    "date: digits in full width": asking_for("bad_date", start_date="\uff12\uff10\uff12\uff15-04-10"),
    "date: a week": asking_for("bad_date", start_date="2025-W15-4"),
    "date: a line break behind": asking_for("bad_date", start_date="2025-04-10\n"),
    "date: moment out of range": asking_for("bad_as_of", as_of="9999-12-31T23:59:59Z"),
    "range: 400 days of ticks": asking(
        f"{RAW}?exchange=binance-futures&symbol={BTC}&start_date=2024-01-01&end_date=2025-02-04", "range_too_long"
    ),
    "range: all days of conditions": asking(
        f"/api/v1/metadata/conditions?exchange=binance-futures&symbol={BTC}&stream=trades"
        "&start_date=2009-01-01&end_date=2100-12-31",
        "range_too_long",
    ),
    "plan: raw ticks": asking(
        f"{RAW}?exchange=binance-futures&symbol={BTC}&start_date=2025-04-01&end_date=2025-04-02", "raw_not_in_plan", 403
    ),
    "plan: below a minute": asking_for("interval_not_in_plan", 403, interval="1s", timestamp="true"),
    "preview: another month": asking(
        f"/api/v1/data/preview/ohlcv?{encoded(start_date='2025-04-01', end_date='2025-04-30')}", "not_in_preview"
    ),
    "query: repeated": asking(f"{DATA}?{encoded()}&symbol={BTC}", "repeated_parameter"),
    "query: unknown": asking(f"{DATA}?{encoded()}&__proto__=1", "unknown_parameter"),
    "query: name in capitals": asking(f"{DATA}?{encoded()}&SYMBOL={BTC}", "unknown_parameter"),
    "query: as a list": asking(f"{DATA}?{encoded(symbol=None)}&symbol[]={BTC}", "missing_parameter"),
    "query: semicolons": asking(f"{DATA}?{encoded().replace('&', ';')}", "unknown_timestamp"),
    "query: 500 parameters": asking(f"{DATA}?{'a&' * 500}", "too_many_parameters"),
    "path: traversal": asking(f"/api/v1/data/..%2f..%2fsecret?{encoded()}", "unknown_path", 404),
    "path: above the root": asking("/../../../../etc/passwd", "unknown_path", 404),
    "path: assets": asking("/assets/..%2f..%2frendering.py", "unknown_path", 404),
    "path: of 64 KB": asking(f"/api/v1/data/{'x' * 65_000}?{encoded()}", "unknown_metric", 404),
    # Headers
    "host: a path": as_host("evil.example/path", code="bad_request"),
    "host: a user": as_host("user@evil.example"),
    "host: markup": as_host('"><script>', code="bad_request"),
    "host: no port": as_host(f"{HOST}:x"),
    "host: empty": as_host(""),
    "host: missing": Attack(lambda _: b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "host: missing for data": Attack(
        lambda prey: f"GET {DATA}?{encoded()} HTTP/1.1\r\nX-API-KEY: {prey.keys['good']}\r\n\r\n".encode(),
        400,
        "bad_request",
    ),
    "host: beyond ASCII": as_host(latin("tést.example"), code="bad_request"),
    "host: of 64 KB": as_host("a" * 65_536),
    "host: two": by_headers(lambda held: (f"X-API-KEY: {held['good']}", "Host: evil.example"), 400, "bad_host"),
    "headers: a megabyte": by_headers(
        lambda _: tuple(f"X-{n}: {'x' * 1000}" for n in range(1000)), 431, "headers_too_large"
    ),
    "headers: ten thousand": by_headers(lambda _: tuple(f"X-{n}: x" for n in range(10_000)), 431, "headers_too_large"),
    "headers: space before the colon": by_headers(lambda held: (f"X-API-KEY : {held['good']}",), 400, "bad_request"),
    "address: forged for another key": Attack(
        lambda _: post(
            SIGNUP, "X-Forwarded-For: 198.51.100.7", "X-Real-IP: 198.51.100.7", "Forwarded: for=198.51.100.7"
        ),
        429,
        "rate_limited",
    ),
    "address: forged for the counters": Attack(
        lambda _: send("/metrics", "X-Forwarded-For: 127.0.0.1"), 403, "metrics_are_private"
    ),
    "smuggling: length and chunks": smuggling("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "smuggling: chunks and length": smuggling("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
    "smuggling: two lengths": smuggling("Content-Length: 5", "Content-Length: 0", body=b"xxxxx"),
    "smuggling: length with a sign": smuggling("Content-Length: +5", body=b"xxxxx"),
    "smuggling: negative length": smuggling("Content-Length: -1", body=b""),
    "smuggling: huge length": smuggling(f"Content-Length: {HUGE}", body=b""),
    "smuggling: chunks in another coding": smuggling("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "smuggling: chunks not last": smuggling("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "smuggling: codings twice": smuggling(
        "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=b"0\r\n\r\n"
    ),
    **{
        f"smuggling: {name}": smuggling("Transfer-Encoding: chunked", body=body)
        for name, body in {
            "no size of a chunk": b"zz\r\n\r\n",
            "negative size of a chunk": b"-1\r\n\r\n",
            "huge size of a chunk": b"f" * 30 + b"\r\n\r\n",
            "no end of a chunk": b"1\r\nxx0\r\n\r\n",
            "bare line feeds": b"0\n\n",
        }.items()
    },
    # Methods and other sites
    **{
        f"method: {method}": by_method(method, lambda _: f"{DATA}?{encoded()}")
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE")
    },
    "method: unknown": Attack(lambda _: send(f"{DATA}?{encoded()}", method="BREW"), 400, "bad_request"),
    "method: overridden": Attack(
        lambda prey: send(
            ROTATE, f"X-API-KEY: {prey.keys['good']}", "X-HTTP-Method-Override: POST", "X-HTTP-Method: POST"
        ),
        405,
        "method_not_allowed",
    ),
    "site: another": from_site(ROTATE, "https://evil.example"),
    "site: none": from_site(ROTATE, "null"),
    "site: below another": from_site(ROTATE, f"https://{HOST}.evil.example"),
    "site: host in its path": from_site(ROTATE, f"https://evil.example/{HOST}"),
    "site: signing up": from_site(SIGNUP, "https://evil.example"),
    "body: unknown field": Attack(
        lambda _: send(SIGNUP, "Content-Length: 16", method="POST", body=b'{"plan":"prime"}'), 400, "bad_body"
    ),
    "body: nested": Attack(
        lambda _: send(SIGNUP, "Content-Length: 4000", method="POST", body=b"[" * 4000), 400, "bad_body"
    ),
    "body: too large": Attack(
        lambda _: send(SIGNUP, "Content-Length: 5000", method="POST", body=b"x" * 5000), 413, "body_too_large"
    ),
}
