"""How much one contract of a swap is: OKX counts swaps in contracts, ticks are in base units."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import DecodeError, Raw

from aperiodic.venues.events import RejectedFrameError
from aperiodic.venues.okx import messages as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Contract", "UnknownContractError", "read_contracts"]

_SMALLEST: Final = Decimal("1e-15")
_LARGEST: Final = Decimal("1e15")


class UnknownContractError(Exception):
    """The size of a swap's contract is not known, so that nothing can be said of its amounts.

    Attributes:
        name: The swap, as OKX calls it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class Contract(NamedTuple):
    """The size of one contract, ctVal times ctMult, as a fraction so that a division rounds only once.

    Attributes:
        numerator: Of the size, in base units (linear) or in quote units (inverse).
        denominator: Of the same.
        inverse: Whether the size is in quote units.
    """

    numerator: int
    denominator: int
    inverse: bool

    def base(self, contracts: float, price: float) -> float:
        """Return an amount in base units."""
        divisor = self.denominator * price if self.inverse else self.denominator
        return contracts * self.numerator / divisor

    def base_levels(self, flat: Sequence[float | None]) -> list[float | None]:
        """Return price, amount, price, amount … with amounts in base units; None stays None."""
        converted: list[float | None] = []
        for price, contracts in zip(flat[::2], flat[1::2], strict=True):
            known = price is not None and contracts is not None
            converted += (price, self.base(contracts, price) if known else None)  # type: ignore[arg-type]
        return converted


def read_contracts(data: bytes | Raw) -> dict[str, Contract]:
    """Return the contracts of all swaps in the `data` of an `instruments` answer, by OKX' name.

    Raises:
        RejectedFrameError: `malformed` when it is no such answer.
    """
    try:
        listed = wire.INSTRUMENTS.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None
    swaps = [each for each in listed if each.kind == "SWAP"]
    # A swap about to be listed may not have its size yet: it is as good as not there.
    return {each.name: contract for each in swaps if (contract := _contract(each)) is not None}


def _contract(instrument: wire.Instrument) -> Contract | None:
    try:
        size = Decimal(instrument.contract_value) * Decimal(instrument.contract_multiplier)
    except InvalidOperation:
        return None
    if not (size.is_finite() and _SMALLEST <= size <= _LARGEST) or instrument.contract_type not in _TYPES:
        return None
    return Contract(*size.as_integer_ratio(), inverse=instrument.contract_type == "inverse")


_TYPES: Final = frozenset({"linear", "inverse"})
