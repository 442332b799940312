"""Counting what is issued: in memory while requests are answered, into the ledger every few seconds.

A process that is killed loses the counts of its last seconds, never more, and a request never waits for the count.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from aperiodic.accounts.keys import mark_used
from aperiodic.accounts.usage import Issued, UsageKey, add_usage
from aperiodic.lake.ledger import begin_write
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["Metering"]

_log: Final = logging.getLogger("aperiodic.server")
_INTERVAL_S: Final = 5.0
_LAST_FLUSH_S: Final = 5.0
_MAX_ENTRIES: Final = 100_000
_NOTHING: Final = Issued(0, 0, 0)


class Metering:
    """Counts of one server process that are not in the ledger yet.

    A thread of its own writes them; it begins with the first count. When the ledger cannot be written they are kept
    for the next try, up to a bound beyond which new combinations of key and dataset are dropped and said so.
    """

    def __init__(self, engine: Engine, interval_s: float = _INTERVAL_S, max_entries: int = _MAX_ENTRIES) -> None:
        """Begin without counts.

        Args:
            engine: The ledger.
            interval_s: Seconds between two writes.
            max_entries: Counts, and keys, to keep at most.
        """
        self._engine = engine
        self._interval_s = interval_s
        self._max_entries = max_entries
        self._counts: dict[UsageKey, Issued] = {}
        self._used: dict[str, int] = {}
        self._dropped = 0
        self._lock = Lock()
        self._flushing = Lock()
        self._writer: Thread | None = None
        self._ending = Event()

    def count(self, public_id: str, endpoint: str, dataset: str, issued: Issued) -> None:
        """Add to what a key was issued today (UTC)."""
        key = UsageKey(datetime.now(UTC).date().isoformat(), public_id, endpoint, dataset)
        with self._lock:
            self._add(key, issued)
            self._begin()

    def used(self, public_id: str) -> None:
        """Note that a key was used just now."""
        now = now_us()
        with self._lock:
            if public_id in self._used or len(self._used) < self._max_entries:
                self._used[public_id] = now
            self._begin()

    def flush(self) -> bool:
        """Write what has been counted; False when the ledger could not be written, and the counts are kept."""
        with self._flushing:
            with self._lock:
                counts, self._counts = self._counts, {}
                used, self._used = self._used, {}
                dropped, self._dropped = self._dropped, 0
            if dropped:
                _log.error("%d counts of usage were dropped, for too many waited to be written", dropped)
            if not counts and not used:
                return True
            try:
                with begin_write(self._engine) as connection:
                    add_usage(connection, counts)
                    mark_used(connection, used)
            except SQLAlchemyError as error:
                _log.warning("usage could not be written and is kept for the next try: %s", type(error).__name__)
                with self._lock:
                    for key, issued in counts.items():
                        self._add(key, issued)
                    self._used = {**used, **self._used}
                return False
            return True

    def stop(self) -> None:
        """Write what is left, within a few seconds, and end the thread; a later count begins another."""
        with self._lock:
            writer, self._writer = self._writer, None
            self._ending.set()
        if writer is None:
            return
        writer.join(_LAST_FLUSH_S)
        with self._lock:
            left = len(self._counts)
        if writer.is_alive() or left:
            _log.error("the last counts of usage could not be written and are lost")

    def _add(self, key: UsageKey, issued: Issued) -> None:
        if key in self._counts or len(self._counts) < self._max_entries:
            self._counts[key] = self._counts.get(key, _NOTHING).plus(issued)
        else:
            self._dropped += issued.requests

    def _begin(self) -> None:
        if self._writer is None:
            self._ending = Event()
            self._writer = Thread(target=self._write, args=(self._ending,), name="metering", daemon=True)
            self._writer.start()

    def _write(self, ending: Event) -> None:
        while not ending.wait(self._interval_s):
            self.flush()
        self.flush()
