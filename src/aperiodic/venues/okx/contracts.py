"""The sizes of contracts in OKX' answers to `instruments`: ctVal times ctMult."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import DecodeError, Raw
from msgspec.json import encode

from aperiodic.venues.contracts import Contract
from aperiodic.venues.events import RejectedFrameError
from aperiodic.venues.okx import messages as wire

__all__ = ["contract_of", "instruments_answer", "read_contracts"]

_SMALLEST: Final = Decimal("1e-15")
_LARGEST: Final = Decimal("1e15")


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
    return {each.name: contract for each in swaps if (contract := contract_of(each)) is not None}


def instruments_answer(name: str, contract: Contract) -> bytes:
    """Write the answer to `instruments` that tells the size of one contract."""
    size = Decimal(contract.numerator) / Decimal(contract.denominator)
    kind = "inverse" if contract.inverse else "linear"
    listed = {"instId": name, "instType": "SWAP", "ctType": kind, "ctVal": f"{size:f}", "ctMult": "1"}
    return encode({"data": [listed]})


def contract_of(instrument: wire.Instrument) -> Contract | None:
    """Return the size of an instrument's contract; None where it is not told, or is not one of this world."""
    try:
        size = Decimal(instrument.contract_value) * Decimal(instrument.contract_multiplier)
    except InvalidOperation:
        return None
    if not (size.is_finite() and _SMALLEST <= size <= _LARGEST) or instrument.contract_type not in _TYPES:
        return None
    return Contract(*size.as_integer_ratio(), inverse=instrument.contract_type == "inverse")


_TYPES: Final = frozenset({"linear", "inverse"})
