"""Where everything lies: the store of objects and the ledger that says which of them are true."""

from aperiodic.lake.errors import LakeError
from aperiodic.lake.lake import Batch, Lake, NewObject
from aperiodic.lake.layout import ObjectKey, ObjectKind
from aperiodic.lake.leases import Scope
from aperiodic.lake.objects import ObjectRecord
from aperiodic.lake.reader import ObjectReader
from aperiodic.lake.settings import Settings
from aperiodic.lake.store import Store, StoredObject

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
