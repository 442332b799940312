"""Hands ticks over to whoever has connected."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Self

from aperiodic.engine.handover.messages import FILE, encode
from aperiodic.engine.local_hub import LocalHub
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.engine.handover.messages import Message

__all__ = ["TicksSender"]


class TicksSender:
    """Hands ticks over, and keeps none: who comes later begins with what is committed.

    Attributes:
        run: Name of this process, for `HandedOver.run`.
    """

    def __init__(self, home: Path) -> None:
        """Begin to listen; `home` is the folder of the installation."""
        self.run = secrets.token_hex(8)
        self._hub = LocalHub(home / FILE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.close()

    @property
    def is_read(self) -> bool:
        """Whether anybody is there."""
        return self._hub.readers > 0

    def tell(self, message: Message) -> None:
        """Hand a message to all readers; never waits for one."""
        self._hub.tell(encode(message), now_us())
