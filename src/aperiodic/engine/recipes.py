"""What a plan has to know of how families are computed, known without loading the kernels and Polars.

It follows from the sources alone. So it is kept in a file of the installation's folder beside the digest of all sources that it
can depend on, and what is kept is only used where these are the same; it is worked out anew where not. A process that has
loaded the datasets works it out from what it has loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aperiodic.catalog import Family
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aperiodic.catalog import Dataset

__all__ = ["Recipe", "recipes"]

_FILE: Final = "recipes.json"
_REGISTRY: Final = "aperiodic.catalog.registry"
_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = ("catalog", "engine", "market")
_FILES: Final = ("jit.py", "lake/writing.py")

_known: dict[Path, Mapping[Family, Recipe]] = {}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a family is computed.

    Attributes:
        digest: Stands for how the bars of its days are computed and written, whatever their ticks.
        streams: What they are computed from, in the order of the kernel.
        looks_back: Streams whose latest event before the day matters too, and how far back that may lie, µs; None is
            without limit.
        datasets: What stands for how published files are computed and written, by dataset, in catalog order.
    """

    digest: str
    streams: tuple[Stream, ...]
    looks_back: Mapping[Stream, int | None]
    datasets: Mapping[str, str]


def recipes(home: Path) -> Mapping[Family, Recipe]:
    """Return how each family is computed, in the order in which they are planned.

    Args:
        home: Folder of the installation.
    """
    # Imported once more, for another thread may be about to load it.
    registry = import_module(_REGISTRY) if _REGISTRY in sys.modules else None
    if home in _known and (registry is None or registry.is_as_declared()):
        return _known[home]
    if registry is not None:
        return _loaded(tuple(registry.DATASETS.values()))
    sources = _sources()
    file = home / _FILE
    found = _read(file, sources)
    if found is None:
        from aperiodic.catalog import DATASETS  # noqa: PLC0415 - see the top of this module

        found = _loaded(tuple(DATASETS.values()))
        # What was edited meanwhile may be loaded or not.
        if _sources() == sources:
            _keep(file, sources, found)
    _known[home] = found
    return found


@cache
def _loaded(datasets: tuple[Dataset, ...]) -> Mapping[Family, Recipe]:
    from aperiodic.engine.families import KERNELS  # noqa: PLC0415 - see the top of this module
    from aperiodic.engine.fingerprints import bars_digest, dataset_digest  # noqa: PLC0415

    return {
        family: Recipe(
            digest=bars_digest(family),
            streams=tuple(kernel.columns),
            looks_back=dict(kernel.looks_back),
            datasets={dataset.id: dataset_digest(dataset) for dataset in datasets if dataset.family is family},
        )
        for family, kernel in KERNELS.items()
    }


def _sources() -> str:
    """Return the digest of all that recipes can depend on."""
    digest = hashlib.sha256(f"{sys.version} polars {version('polars')}".encode())
    for file in sorted({*_modules(), *(_PACKAGE / name for name in _FILES)}):
        content = file.read_bytes()
        digest.update(f"\n{file.relative_to(_PACKAGE)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _modules() -> Iterator[Path]:
    for folder in _FOLDERS:
        for place, _, names in os.walk(_PACKAGE / folder, followlinks=True):
            yield from (Path(place) / name for name in names if name.endswith(".py"))


def _read(file: Path, sources: str) -> Mapping[Family, Recipe] | None:
    """Return what is kept of these sources; None where that is nothing, or not whole."""
    try:
        digest, _, text = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    if digest != hashlib.sha256(text.encode()).hexdigest():
        return None
    kept: dict[str, Any] = json.loads(text)
    if kept.get("sources") != sources:  # another version may keep it in another form
        return None
    return {
        Family(name): Recipe(
            digest=recipe["digest"],
            streams=tuple(map(Stream, recipe["streams"])),
            looks_back={Stream(stream): limit for stream, limit in recipe["looks_back"].items()},
            datasets=recipe["datasets"],
        )
        for name, recipe in kept["recipes"].items()
    }


def _keep(file: Path, sources: str, found: Mapping[Family, Recipe]) -> None:
    """Write it for later processes; where that cannot be done, they work it out."""
    text = json.dumps({"sources": sources, "recipes": {family: asdict(recipe) for family, recipe in found.items()}})
    draft = file.with_name(f".{_FILE}-{secrets.token_hex(4)}")
    with suppress(OSError):
        try:
            draft.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", encoding="utf-8")
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
