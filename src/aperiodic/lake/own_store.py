"""The store that belongs to a ledger: its id stands in the ledger as in the mark of the store.

At first use the id is written into the ledger, then into the store, then the ledger notes that it is there. Killed in
between, the next opening goes on. From then on a store without the mark is away, and one with another is another's.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import OperationalError

from aperiodic.lake.errors import AWAY, LakeError
from aperiodic.lake.ledger import begin_write, look_at_ledger
from aperiodic.lake.objects import has_objects
from aperiodic.lake.presence import gone, of_another
from aperiodic.lake.schema import objects, own_store

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from aperiodic.lake.store import Store

__all__ = ["Evidence", "OwnStore", "look_for_objects", "own_store_of", "read_own_store", "take_store", "take_up"]

_LOOKED_FOR: Final = 16


class OwnStore(NamedTuple):
    """What a ledger says of its store.

    Attributes:
        store_id: The id of its mark.
        is_marked: Whether the mark was written; False only while, or after, the first use broke off.
    """

    store_id: str
    is_marked: bool


class Evidence(NamedTuple):
    """How many objects of a ledger a store has.

    Attributes:
        asked: Current objects that were looked for: the newest and the oldest.
        found: Those that are there, in their size.
    """

    asked: int
    found: int

    @property
    def is_for(self) -> bool:
        """Whether it can be the store of the ledger: it has some of it, or there is nothing to look for."""
        return self.found > 0 or self.asked == 0


def read_own_store(connection: Connection) -> OwnStore | None:
    """Return what the ledger says of its store; None before the first use."""
    row = connection.execute(select(own_store.c.id, own_store.c.is_marked)).first()
    return None if row is None else OwnStore(row.id, row.is_marked)


def own_store_of(url: str) -> OwnStore | None:
    """Return what the ledger at a URL says of its store, if there is a ledger; nothing is made or upgraded.

    Raises:
        LakeError: `ledger_unavailable` when it cannot be read.
    """
    with look_at_ledger(url) as found:
        if found is None or own_store.name not in found.tables:
            return None
        return read_own_store(found.connection)


def take_up(engine: Engine, store: Store) -> None:
    """Let the store of a ledger be the one that is expected from here on; at the first use give it a mark.

    A store that is away is no error here once it has a mark: whatever asks for its objects, or writes, meets it. Where
    ledger or store cannot be written, as in a copy for reading, there is no first use.

    Raises:
        LakeError: `store_of_another`, `store_newer`, `store_mark_damaged`; at the first use also `store_gone` and
            `store_unavailable`: whether it is the right store cannot be told then.
    """
    if not store.presence.is_lasting:
        return
    with engine.connect() as connection:
        own = read_own_store(connection)
    if own is None or not own.is_marked:
        own = _first_use(engine, store)
        if own is None:
            return
    store.presence.expect(own.store_id)
    try:
        store.presence.require()
    except LakeError as error:
        if error.code not in AWAY:
            raise


def look_for_objects(engine: Engine, store: Store) -> Evidence:
    """Look whether the store has the newest and the oldest objects of the ledger.

    Raises:
        LakeError: `store_unavailable`.
    """
    query = select(objects.c.path, objects.c.size).where(objects.c.is_current)
    wanted: dict[str, int] = {}
    with engine.connect() as connection:
        for order in (objects.c.id.desc(), objects.c.id):
            wanted |= {row.path: row.size for row in connection.execute(query.order_by(order).limit(_LOOKED_FOR))}
    if not store.is_there:
        return Evidence(len(wanted), 0)
    return Evidence(len(wanted), sum(_has(store, path, size) for path, size in wanted.items()))


def take_store(engine: Engine, store: Store) -> str:
    """Let the ledger take the store for its own, whatever each says of the other; return the id that both have then.

    A mark that is there stays, so that whoever else uses the store can go on. A store without a mark gets that of the one
    before if it has objects of the ledger, as a copy does; else a new one, so that the one before is another's from then on.

    Raises:
        LakeError: `store_unavailable`, `store_newer` or `store_write_failed`.
    """
    store.make()
    is_damaged, found = False, None
    try:
        found = store.presence.read()
    except LakeError as error:
        if error.code != "store_mark_damaged":
            raise
        is_damaged = True
    is_copy = look_for_objects(engine, store).found > 0
    with begin_write(engine) as connection:
        before = read_own_store(connection)
        store_id = found or (before.store_id if before is not None and is_copy else secrets.token_hex(16))
        connection.execute(delete(own_store))
        connection.execute(insert(own_store).values(id=store_id, is_marked=found is not None))
    if found is None:
        store.presence.write(store_id, replace=is_damaged)
        _note_mark(engine, store_id)
    return store_id


def _first_use(engine: Engine, store: Store) -> OwnStore | None:
    """Agree on an id; None where that cannot be written down."""
    # In this order: the mark of this ledger is never there before the ledger names it.
    found = store.presence.read()
    with engine.connect() as connection:
        own = read_own_store(connection)
        is_begun = has_objects(connection)
    if own is not None and own.is_marked:  # another program was faster
        return own
    if own is not None and found is not None and found != own.store_id:
        raise of_another()
    # An earlier version left neither, a backup of one has no name; the folder may lack its mount at this very moment.
    if (own is None or found is None) and is_begun and not look_for_objects(engine, store).is_for:
        raise gone(store.presence.place, "none of the objects that the ledger knows") if found is None else of_another()
    try:
        own = _name(engine, found or secrets.token_hex(16))
        if found is None:
            store.make()
            store.presence.write(own.store_id)
        if (found := store.presence.read()) != own.store_id:
            raise of_another()
        _note_mark(engine, own.store_id)
    except OperationalError:
        return None
    except LakeError as error:
        if error.code != "store_write_failed":
            raise
        return None
    return own


def _name(engine: Engine, store_id: str) -> OwnStore:
    """Write an id into the ledger unless there is one; return the one that is there."""
    with begin_write(engine) as connection:
        own = read_own_store(connection)
        if own is None:
            own = OwnStore(store_id, is_marked=False)
            connection.execute(insert(own_store).values(id=store_id, is_marked=False))
    return own


def _note_mark(engine: Engine, store_id: str) -> None:
    with begin_write(engine) as connection:
        connection.execute(update(own_store).where(own_store.c.id == store_id).values(is_marked=True))


def _has(store: Store, path: str, size: int) -> bool:
    try:
        return store.size(path) == size
    except LakeError as error:
        if error.code != "object_missing":
            raise
        return False
