"""OpenStack Swift with its S3 interface: a bucket of a service that others made and that companies run.

One proxy, one server of each kind over one folder, and memcached, all of Debian's packages.
"""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpx
import obstore
import pytest
from obstore.store import S3Store
from tests.guarded import Guarded, free_port
from tests.s3 import ACCESS_KEY, BUCKET, REGION, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_KINDS: Final = ("object", "container", "account")
_PROGRAMS: Final = (
    "swift-ring-builder",
    "swift-proxy-server",
    *(f"swift-{kind}-server" for kind in _KINDS),
    "memcached",
)
_ANSWERS_S: Final = 120.0
_HASHES: Final = """
[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
"""
_FILTERS: Final = (
    "catch_errors",
    "gatekeeper",
    "listing_formats",
    "memcache",
    "s3api",
    "tempauth",
    "bulk",
    "copy",
    "slo",
)


class SwiftServer:
    """A running service with a bucket.

    Attributes:
        port: Port of the proxy on the loopback interface.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, prefix: str = "") -> str:
        """URL of a store in the bucket."""
        return f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{self.port}&region={REGION}&allow_http=true"


@contextmanager
def swift_server(folder: Path) -> Iterator[SwiftServer]:
    """Run a service of its own with the credentials of `tests.s3`, which are in the environment; skips where there is none.

    Args:
        folder: Where it keeps things.
    """
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        pytest.skip(
            f"{missing[0]} is not installed (apt-get install swift-proxy swift-account swift-container swift-object memcached)"
        )
    ports = {kind: free_port() for kind in ("memcached", "proxy", *_KINDS)}
    _configure(folder, ports)
    with ExitStack() as running:
        commands = [["memcached", "-u", getpass.getuser(), "-l", "127.0.0.1", "-p", str(ports["memcached"])]]
        commands += [[f"swift-{kind}-server", str(folder / f"{kind}.conf"), "-v"] for kind in (*_KINDS, "proxy")]
        for command in commands:
            running.callback(Guarded(command, folder / f"log-{command[0]}").end)
        server = SwiftServer(ports["proxy"])
        _make_bucket(server, folder)
        yield server


def _configure(folder: Path, ports: Mapping[str, int]) -> None:
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(_HASHES)
    everywhere = f"[DEFAULT]\nswift_dir = {folder}\nuser = {getpass.getuser()}\nbind_ip = 127.0.0.1\nworkers = 0\n"
    for kind in _KINDS:
        app = f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
        where = f"bind_port = {ports[kind]}\ndevices = {folder / 'devices'}\nmount_check = false\n"
        (folder / f"{kind}.conf").write_text(everywhere + where + app)
        ring = str(folder / f"{kind}.builder")
        for change in (["create", "1", "1", "0"], ["add", f"r1z1-127.0.0.1:{ports[kind]}/disk", "1"], ["rebalance"]):
            subprocess.run(["swift-ring-builder", ring, *change], check=True, stdout=subprocess.DEVNULL)
    options = {
        "memcache": f"memcache_servers = 127.0.0.1:{ports['memcached']}\n",
        "s3api": f"location = {REGION}\n",
        "tempauth": "user_{}_{} = {} .admin\n".format(*ACCESS_KEY.split(":"), SECRET_KEY),
    }
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{options.get(name, '')}" for name in _FILTERS)
    app = f"[pipeline:main]\npipeline = {' '.join(_FILTERS)} proxy-server\n"
    app += "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
    (folder / "proxy.conf").write_text(f"{everywhere}bind_port = {ports['proxy']}\n{app}{filters}")


def _make_bucket(server: SwiftServer, folder: Path) -> None:
    bucket = S3Store(
        BUCKET,
        endpoint=f"http://127.0.0.1:{server.port}",
        region=REGION,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )
    link = obstore.sign(bucket, "PUT", "", timedelta(seconds=_ANSWERS_S))
    deadline = time.monotonic() + _ANSWERS_S
    while True:
        with suppress(httpx.TransportError):
            if httpx.put(link, timeout=_ANSWERS_S).status_code == HTTPStatus.OK:
                return
        if time.monotonic() > deadline:
            pytest.fail("\n".join(log.read_text() for log in sorted(folder.glob("log-*"))))
        time.sleep(0.1)
