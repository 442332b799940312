"""The lake: store and ledger together, with one way to write: objects first, then one ledger transaction."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self

from aperiodic.lake.errors import AWAY, UNUSABLE, LakeError
from aperiodic.lake.layout import COMPUTED, SUPERSEDED_KEPT, ObjectKey, ObjectKind
from aperiodic.lake.leases import EVERYTHING, Held, Scope, hold_leases, scope_of
from aperiodic.lake.ledger import PATIENT_S, begin_write, open_ledger
from aperiodic.lake.objects import (
    ObjectRecord,
    current_instruments,
    current_objects,
    find_object,
    find_object_at,
    has_objects,
    latest_revision,
    replace_object,
    retire_object,
)
from aperiodic.lake.own_store import take_up
from aperiodic.lake.store import Store, StoredObject
from aperiodic.lake.writing import NewObject, put_object
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from aperiodic.lake.settings import Settings

__all__ = ["Batch", "Lake", "ledger_lost"]


class Batch:
    """Objects and ledger changes that become true together, or not at all."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._records: list[tuple[NewObject, StoredObject]] = []
        self._retired: list[ObjectKey] = []
        self._changes: list[Callable[[Connection], None]] = []

    def put(self, new: NewObject, data: bytes) -> str:
        """Write an object to the store; the ledger learns of it at `commit`. Returns its SHA-256."""
        stored = put_object(self._lake.store, new.key, data)
        self.adopt(new, stored)
        return stored.sha256

    def adopt(self, new: NewObject, stored: StoredObject) -> None:
        """Take in an object that another process has written with `put_object`."""
        self._records.append((new, stored))

    def retire(self, key: ObjectKey) -> None:
        """Let a key have no current revision any more."""
        self._retired.append(key)

    def change(self, action: Callable[[Connection], None]) -> None:
        """Add a change of the ledger, made in the same transaction."""
        self._changes.append(action)

    def commit(self) -> None:
        """Make everything true in one ledger transaction, then remove intermediate objects that were replaced.

        An object with the same content as its current revision keeps that revision.

        Raises:
            LakeError: `lease_lost` when a lease on a series of these objects was held and is not any more; `store_gone`
                and others of `Presence.require`. Then nothing is true.
        """
        # Parts are let go by who compacts them, while others append further ones.
        retired = [key for key in self._retired if key.kind is not ObjectKind.TICK_PARTS]
        keys = [*retired, *(new.key for new, _ in self._records)]
        replaced: list[str] = []
        if keys:  # workers that wrote some of it know no ledger
            self._lake.store.presence.require()
        with begin_write(self._lake.engine) as connection:
            self._lake.require_leases(connection, keys)
            for key in self._retired:
                replaced += _retire(connection, key)
            for new, stored in self._records:
                replaced += _record(connection, new, stored)
            for action in self._changes:
                action(connection)
        written = {stored.path for _, stored in self._records}
        for path in replaced:
            if path not in written:
                self._delete(path)
        self._records.clear()
        self._retired.clear()
        self._changes.clear()

    def _delete(self, path: str) -> None:
        """Remove what nothing needs any more. All is true already: what a store that went away keeps does no harm."""
        try:
            self._lake.store.delete(path)
        except LakeError as error:
            if error.code not in AWAY:
                raise


class Lake:
    """Store and ledger of one installation."""

    def __init__(self, store: Store, engine: Engine, home: Path) -> None:
        self.store = store
        self.engine = engine
        self.home = home
        self._held: list[Held] = []

    @classmethod
    def open(cls, settings: Settings, *, busy_s: float = PATIENT_S, to_restore: bool = False) -> Self:
        """Open an installation, creating an empty one where there is none.

        A ledger without objects beside ticks may be that of a first import that broke off, so it is opened; beside bars
        it is a lost one, because bars are made after the ledger knows of their ticks.

        Args:
            settings: The installation.
            busy_s: How long to wait for a ledger that others hold; see `open_ledger`.
            to_restore: Whether the ledger may be new though the store is not, since a backup will be restored into it.

        Raises:
            LakeError: `home_unavailable`, `store_unavailable`, `ledger_unavailable`, `ledger_newer`, or `ledger_lost`
                when the store holds what no ledger knows; `store_of_another` and others of `own_store.take_up`.
        """
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(
                f"The folder {settings.home} cannot be made: {error.strerror}.",
                code="home_unavailable",
                hint="Set APERIODIC_HOME to a folder that you can write.",
            ) from error
        store = Store(settings.store_url)

        def require_new_store() -> None:
            if not to_restore and store.is_there and store.holds_objects():
                raise ledger_lost()

        lake = cls(store, open_ledger(settings.ledger_url, busy_s=busy_s, on_new=require_new_store), settings.home)
        if to_restore:
            return lake
        with ExitStack() as on_failure:
            on_failure.callback(lake.close)
            if not lake.has_objects() and store.is_there and any(any(store.sizes(kind)) for kind in COMPUTED):
                raise ledger_lost()
            take_up(lake.engine, store)
            on_failure.pop_all()
        return lake

    def close(self) -> None:
        """Let go of the ledger's connections."""
        self.engine.dispose()

    @contextmanager
    def writing(self, *scopes: Scope, wait_s: float = 0) -> Iterator[None]:
        """Hold leases, so that nobody else writes the same; the ledger sees it when the process ends, however it ends.

        Batches that are committed meanwhile make sure that they are still held.

        Args:
            *scopes: What will be written; none for the whole installation.
            wait_s: How long to wait for others, seconds.

        Raises:
            LakeError: `busy` when another import or build writes the same; `lease_lost` where an object could not be
                read, and may have given way to what another process wrote after a lease had ended.
        """
        with hold_leases(self.engine, scopes or (EVERYTHING,), wait_s=wait_s) as held:
            self._held.append(held)
            try:
                yield
            except LakeError as error:
                if error.code in UNUSABLE:
                    with self.engine.connect() as connection:
                        held.require(connection, held.fences)
                raise
            finally:
                self._held.remove(held)

    def require_leases(self, connection: Connection, keys: Sequence[ObjectKey]) -> None:
        """Make sure, in a transaction that writes, that leases taken by `writing` still hold for these objects.

        Raises:
            LakeError: `lease_lost` when one does not.
            ValueError: When leases are held, but none for one of these objects.
        """
        if not self._held:
            return
        wanted = {scope for key in keys if (scope := scope_of(key)) is not None}
        if left_out := [scope for scope in wanted if not any(held.covers(scope) for held in self._held)]:
            raise ValueError(f"No lease is held on {left_out[0]}.")
        for held in self._held:
            held.require(connection, wanted)

    def batch(self) -> Batch:
        """Begin a batch of writes."""
        return Batch(self)

    def has_objects(self) -> bool:
        """Whether the ledger has ever known of an object."""
        with self.engine.connect() as connection:
            return has_objects(connection)

    def instruments(self, exchange: str | None = None, symbol: str | None = None) -> set[tuple[str, str]]:
        """Return exchange and symbol of everything that has current ticks or bars."""
        with self.engine.connect() as connection:
            return current_instruments(connection, exchange, symbol)

    def find(self, key: ObjectKey) -> ObjectRecord | None:
        """Return the current revision of an object, or None."""
        with self.engine.connect() as connection:
            return find_object(connection, key)

    def find_path(self, path: str) -> ObjectRecord | None:
        """Return the current object that lies at a path of the store, or None."""
        with self.engine.connect() as connection:
            return find_object_at(connection, path)

    def current(self, kind: ObjectKind, **filters: str | Sequence[str] | None) -> list[ObjectRecord]:
        """Return the current objects of a kind; see `objects.current_objects`."""
        with self.engine.connect() as connection:
            return current_objects(connection, kind, **filters)


def ledger_lost() -> LakeError:
    """Return the error for a store that holds what no ledger knows."""
    return LakeError(
        "The store holds data, but the ledger that belongs to it is missing or empty.",
        code="ledger_lost",
        hint="Check APERIODIC_HOME and APERIODIC_LEDGER, or restore a backup: aperiodic ledger restore FILE",
    )


def _record(connection: Connection, new: NewObject, stored: StoredObject) -> list[str]:
    """Enter an object into the ledger; return the paths that are of no use any more."""
    before = find_object(connection, new.key)
    unchanged = before is not None and before.sha256 == stored.sha256
    if before is not None and unchanged and before.fingerprint == new.fingerprint:
        return []
    revision = before.revision if before is not None and unchanged else latest_revision(connection, new.key) + 1
    reason = new.first_reason if revision == 1 and new.first_reason is not None else new.reason
    record = ObjectRecord(
        key=new.key,
        path=stored.path,
        revision=revision,
        size=stored.size,
        sha256=stored.sha256,
        rows=new.rows,
        first_exchange=new.first_exchange,
        last_exchange=new.last_exchange,
        first_local=new.first_local,
        last_local=new.last_local,
        source=new.source,
        fingerprint=new.fingerprint,
        reason=before.reason if before is not None and unchanged else reason,
        created_at=now_us(),
    )
    replace_object(connection, record)
    if before is None or unchanged or new.key.kind in SUPERSEDED_KEPT:
        return []
    return [before.path]


def _retire(connection: Connection, key: ObjectKey) -> list[str]:
    before = find_object(connection, key)
    retire_object(connection, key, now_us())
    return [] if before is None or key.kind in SUPERSEDED_KEPT else [before.path]
