"""Where everything lies: the store of objects and the ledger that says which of them are true.

Names are imported when they are first used: workers of a build need the store, and not what the ledger is made with.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aperiodic.lake.errors import LakeError
    from aperiodic.lake.lake import Batch, Lake
    from aperiodic.lake.layout import ObjectKey, ObjectKind
    from aperiodic.lake.leases import Scope
    from aperiodic.lake.objects import ObjectRecord
    from aperiodic.lake.reader import ObjectReader
    from aperiodic.lake.settings import Settings
    from aperiodic.lake.store import Store, StoredObject
    from aperiodic.lake.writing import NewObject

__all__ = [
    "Batch",
    "Lake",
    "LakeError",
    "NewObject",
    "ObjectKey",
    "ObjectKind",
    "ObjectReader",
    "ObjectRecord",
    "Scope",
    "Settings",
    "Store",
    "StoredObject",
]

_MODULES: Final = {
    "Batch": "lake",
    "Lake": "lake",
    "LakeError": "errors",
    "NewObject": "writing",
    "ObjectKey": "layout",
    "ObjectKind": "layout",
    "ObjectReader": "reader",
    "ObjectRecord": "objects",
    "Scope": "leases",
    "Settings": "settings",
    "Store": "store",
    "StoredObject": "store",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
