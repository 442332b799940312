"""The exchanges' side of the wire, on this machine: for trials, demonstrations and tests without an exchange."""

from aperiodic.mock.exchange import MockExchange
from aperiodic.mock.faults import Fault, random_faults, read_faults
from aperiodic.mock.load import LoadSource
from aperiodic.mock.recorded import RecordedSource
from aperiodic.mock.settings import MockSettings
from aperiodic.mock.simulated import SimulatedSource

__all__ = [
    "Fault",
    "LoadSource",
    "MockExchange",
    "MockSettings",
    "RecordedSource",
    "SimulatedSource",
    "random_faults",
    "read_faults",
]
