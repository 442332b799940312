"""OKX: perpetual swaps (`okx-perps`)."""

from aperiodic.venues.okx.book import BookSync, Outcome
from aperiodic.venues.okx.contracts import Contract, UnknownContractError, read_contracts
from aperiodic.venues.okx.mapper import OkxMapper

__all__ = ["BookSync", "Contract", "OkxMapper", "Outcome", "UnknownContractError", "read_contracts"]
