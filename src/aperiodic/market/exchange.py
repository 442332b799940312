"""The venues whose data the platform holds: an open set of names."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Self

from aperiodic.market.errors import unknown_value

__all__ = ["Exchange"]

_GRAMMAR: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_LENGTH: Final = 40


class Exchange(StrEnum):
    """A venue, named as in the REST API.

    The members are the venues known here: those written below, and those that were registered. `Exchange(name)` also
    gives a venue that is not known, for example one that only the server knows, as long as the name could be one.
    """

    BINANCE_FUTURES = "binance-futures"
    OKX_PERPS = "okx-perps"
    HYPERLIQUID_PERPS = "hyperliquid-perps"
    BINANCE = "binance"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or len(value) > _MAX_LENGTH or _GRAMMAR.fullmatch(value) is None:
            return None
        member = str.__new__(cls, value)
        member._name_ = value.upper().replace("-", "_")
        member._value_ = value
        return member

    @classmethod
    def parse(cls, value: str) -> Self:
        """Return the known exchange of that name.

        Raises:
            InvalidInputError: `unknown_exchange`, naming the nearest valid one.
        """
        for member in cls:
            if member == value:
                return member
        raise unknown_value("exchange", value, cls)

    @classmethod
    def register(cls, name: str) -> Self:
        """Make a venue known, or return it if it is; see `aperiodic.venues.register`.

        Raises:
            ValueError: The name is not made of small letters, digits and single hyphens, or over 40 characters long.
        """
        member = cls(name)
        if member not in list(cls):
            # What the class itself does for a member that is written in it.
            cls._member_names_.append(member._name_)
            cls._member_map_[member._name_] = member
            cls._value2member_map_[name] = member
        return member

    @classmethod
    def forget(cls, name: str) -> None:
        """Undo `register`."""
        member = cls._value2member_map_.pop(name, None)
        if member is not None:
            cls._member_names_.remove(member._name_)
            del cls._member_map_[member._name_]
