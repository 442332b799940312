"""The package as a wheel, made from the files that run here, so that a client of the same version can be installed.

It is made once, when it is first asked for, and is the same bytes for the same files.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aperiodic._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["WHEEL_NAME", "WHEEL_PATH", "changes_text", "wheel_bytes"]

_DISTRIBUTION: Final = "aperiodic-platform"
_STEM: Final = f"{_DISTRIBUTION.replace('-', '_')}-{__version__}"

WHEEL_NAME: Final = f"{_STEM}-py3-none-any.whl"
"""Name of the file."""

WHEEL_PATH: Final = f"/client/{WHEEL_NAME}"
"""Path of the file on the server."""

_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: aperiodic\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COPIED: Final = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_VERSION_LINE: Final = re.compile(r"^Version: .*$", re.MULTILINE)
_CHANGES: Final = "server/site/CHANGELOG.md"
_CHECKOUT: Final = Path(__file__).parents[3]
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def changes_text() -> str:
    """Return the list of changes: a wheel carries it, in a checkout it is at the root."""
    packed = resources.files("aperiodic") / _CHANGES
    return packed.read_text("utf-8") if packed.is_file() else (_CHECKOUT / "CHANGELOG.md").read_text("utf-8")


@cache
def wheel_bytes() -> bytes | None:
    """Return the wheel, or None where the package runs without having been installed."""
    try:
        installed = distribution(_DISTRIBUTION)
    except PackageNotFoundError:
        return None
    files = dict(_files(resources.files("aperiodic"), "aperiodic/"))
    files[f"aperiodic/{_CHANGES}"] = changes_text().encode()
    for name in _COPIED:
        text = installed.read_text(name)
        if text is not None:
            # An editable installation has the description of the day on which it was made.
            text = _VERSION_LINE.sub(f"Version: {__version__}", text, count=1) if name == "METADATA" else text
            files[f"{_STEM}.dist-info/{name}"] = text.encode()
    files[f"{_STEM}.dist-info/WHEEL"] = _WHEEL.encode()
    return _packed(files)


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_file() and not entry.name.endswith((".pyc", ".nbi", ".nbc")):
            yield f"{prefix}{entry.name}", entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry, f"{prefix}{entry.name}/")


def _packed(files: dict[str, bytes]) -> bytes:
    record = f"{_STEM}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(body)},{len(body)}" for name, body in sorted(files.items())]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in [*sorted(files.items()), (record, "\n".join([*lines, f"{record},,", ""]).encode())]:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, body)
    return buffer.getvalue()


def _digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
