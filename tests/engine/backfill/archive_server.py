"""A web server with the files of public archives, which can be told to misbehave."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import lz4.frame

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Fault:
    """What a request is answered with instead of the file.

    Attributes:
        status: Status of the answer; 0: the file is sent, but breaks off.
        headers: Further headers.
        cut: How many bytes are sent before the connection breaks off.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


@dataclass
class Archive:
    """What the server holds and was asked for.

    Attributes:
        url: Its address.
        files: Content by path, without the first slash.
        faults: By path, what the next requests with GET are answered with.
        asked: Method and path of every request, in order.
        headers: Headers of every request, in small letters.
        deny: Whether every request is forbidden.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    deny: bool = False

    def put(self, path: str, content: bytes, *, checksum: bool = False) -> None:
        """Hold a file, and its checksum where the archive has those."""
        self.files[path] = content
        if checksum:
            name = path.rpartition("/")[2]
            self.files[f"{path}.CHECKSUM"] = f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()

    def fail(self, path: str, *faults: Fault) -> None:
        """Let the next requests of a file be answered otherwise."""
        self.faults[path] = deque(faults)

    def count(self, suffix: str, method: str = "GET") -> int:
        """Return how often files with that end of their path were asked for."""
        return Counter(each for each in self.asked if each[1].endswith(suffix) and each[0] == method).total()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: Archive

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        archive = self.archive
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        archive.asked.append((self.command, path))
        archive.headers.append({name.lower(): value for name, value in self.headers.items()})
        waiting = archive.faults.get(path)
        fault = waiting.popleft() if body and waiting else Fault()
        if archive.deny:
            fault = Fault(403)
        content = archive.files.get(path)
        if fault.status or content is None:
            self.send_response(fault.status or 404)
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        etag = f'"{hashlib.sha256(content).hexdigest()[:16].upper()}"'
        start, wanted = 0, self.headers.get("Range", "")
        if wanted.startswith("bytes=") and self.headers.get("If-Range", etag).lower() == etag.lower():
            start = int(wanted[6:].partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            self.wfile.write(content[start : start + fault.cut] if fault.cut else content[start:])
            self.close_connection |= bool(fault.cut)


@contextmanager
def archive_server() -> Iterator[Archive]:
    """Run a server on this machine."""
    archive = Archive()
    handler = type("Handler", (_Handler,), {"archive": archive})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def zipped(name: str, content: bytes | str) -> bytes:
    """Pack one file as Binance and OKX do."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    """Pack one file as OKX does its books."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def framed(content: bytes) -> bytes:
    """Pack as Hyperliquid does."""
    packed: bytes = lz4.frame.compress(content)
    return packed
