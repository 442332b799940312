"""What faults do to the messages of one exchange on their way."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.mock.faults import Fault
    from aperiodic.mock.messages import Message
    from aperiodic.mock.wire.model import Wire

__all__ = ["Delivery", "Disturbance"]

_ON_THE_WAY: Final = frozenset(
    {"withhold", "duplicate", "reorder", "stall", "malformed", "new_field", "sequence_reset"}
)
_RESET_SHARE: Final = 0.9
_LONGEST_REORDER_S: Final = 2.0
_FIRST_FIELD: Final = re.compile(rb'("data":\s*\[?\s*\{)')


class Delivery(NamedTuple):
    """A message as it leaves.

    Attributes:
        message: It, perhaps with another payload.
        note: What was done to it: `duplicate`, `reordered`, `late`; empty: nothing.
        lost: Kind of the fault by which it does not leave, or not whole; empty: it does.
        junk: What is sent instead of a lost one; empty: nothing.
    """

    message: Message
    note: str = ""
    lost: str = ""
    junk: bytes = b""


@dataclass(slots=True)
class _Active:
    """A fault that waits for messages."""

    fault: Fault
    native: str
    left: int
    until: float | None
    held: list[Message] = field(default_factory=list)
    held_at: float = 0.0

    def concerns(self, message: Message) -> bool:
        """Whether a message is one of those it is about."""
        return (not self.native or message.native == self.native) and self.fault.stream in message.stream


class Disturbance:
    """The faults of one exchange that change messages on their way."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._active: list[_Active] = []
        self._lowered: dict[str, int] = {}
        self._begun: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether messages leave as they are."""
        return not self._active and not self._lowered

    @property
    def holds(self) -> bool:
        """Whether messages are held back."""
        return any(active.held for active in self._active)

    def lowered(self, native: str) -> int:
        """Return by how much the numbers of an instrument's book are lower since a reset."""
        return self._lowered.get(native, 0)

    def takes(self, fault: Fault) -> bool:
        """Whether a fault is of this kind."""
        return fault.kind in _ON_THE_WAY

    def begin(self, fault: Fault, numbers: dict[str, int]) -> None:
        """Let a fault begin; `numbers` are those of the books now, by the venue's names."""
        native = fault.native
        if fault.kind == "sequence_reset":
            for name, number in numbers.items():
                if native in {"", name} and name not in self._lowered:
                    self._lowered[name] = int(number * _RESET_SHARE)
            return
        bounded_by_time = fault.seconds > 0
        left = 1 << 62 if bounded_by_time else fault.count
        until = time.monotonic() + fault.seconds if bounded_by_time else None
        self._active.append(_Active(fault, native, left, until))

    def pass_on(self, message: Message) -> Iterator[Delivery]:
        """Yield what becomes of a message, what was held back for it included."""
        yield from self.overdue()
        message = self._renumber(message)
        for active in self._active:
            if active.concerns(message) and (active.until is None or time.monotonic() < active.until):
                yield from self._disturb(active, message)
                break
        else:
            yield Delivery(message)
        self._active = [active for active in self._active if not _is_over(active)]

    def overdue(self) -> Iterator[Delivery]:
        """Yield what was held back long enough."""
        now = time.monotonic()
        for active in self._active:
            until = active.held_at + _LONGEST_REORDER_S if active.until is None else active.until
            if active.held and until <= now:
                active.left -= active.until is None
                for message in active.held:
                    yield Delivery(message, "late")
                active.held.clear()
        self._active = [active for active in self._active if not _is_over(active)]

    def _renumber(self, message: Message) -> Message:
        by = self._lowered.get(message.native)
        if by is None or message.number is None or not self._wire.counts_book(message.stream):
            return message
        if message.stream in self._begun:
            payload = self._wire.lower(message.payload, by)
        else:
            self._begun.add(message.stream)
            payload = self._wire.lower_first(message.payload, by)
        return message._replace(payload=payload, number=message.number - by)

    def _disturb(self, active: _Active, message: Message) -> Iterator[Delivery]:
        kind = active.fault.kind
        if kind == "stall":
            active.held.append(message)
            return
        active.left -= 1
        if kind == "withhold":
            yield Delivery(message, lost=kind)
        elif kind == "malformed":
            yield Delivery(message, lost=kind, junk=message.payload[: len(message.payload) // 2])
        elif kind == "duplicate":
            yield Delivery(message)
            yield Delivery(message, "duplicate")
        elif kind == "new_field":
            changed = _FIRST_FIELD.sub(rb'\1"zz":"new",', message.payload, count=1)
            yield Delivery(message._replace(payload=changed), kind)
        elif not active.held:  # reorder: this one waits for the next of its stream
            active.left += 1
            active.held.append(message)
            active.held_at = time.monotonic()
        elif active.held[0].stream == message.stream:
            yield Delivery(message, "reordered")
            yield Delivery(active.held.pop(), "reordered")
        else:
            active.left += 1
            yield Delivery(message)


def _is_over(active: _Active) -> bool:
    if active.held:
        return False
    return active.left <= 0 or (active.until is not None and active.until <= time.monotonic())
