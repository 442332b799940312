"""Random numbers that depend on a key alone: the same on every machine, in any order of asking.

Nothing is drawn from a shared generator. Each purpose of each day has a generator of its own, keyed by a
cryptographic digest, so one stream of one day can be made without making any other.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist
from typing import Final

import numpy as np

__all__ = ["gaussian", "generator", "uniform"]

_STANDARD_NORMAL: Final = NormalDist()
_SEPARATOR: Final = "\x1f"


def generator(*key: str | int) -> np.random.Generator:
    """Return the generator of this key, at its beginning.

    Philox is counter-based: any 128-bit key starts a stream independent of every other key's.
    """
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(key, 16), "big")))


def uniform(*key: str | int) -> float:
    """Return the one number of this key, uniform strictly between 0 and 1."""
    return ((int.from_bytes(_digest(key, 8), "big") >> 11) + 0.5) / 2**53


def gaussian(*key: str | int) -> float:
    """Return the one standard normal number of this key."""
    return _STANDARD_NORMAL.inv_cdf(uniform(*key))


def _digest(key: tuple[str | int, ...], size: int) -> bytes:
    return blake2b(_SEPARATOR.join(map(str, key)).encode(), digest_size=size).digest()
