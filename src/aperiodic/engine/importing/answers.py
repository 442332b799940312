"""REST answers in files of their own: what they say is needed to read the recordings beside them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.engine.importing.files import Lines
from aperiodic.engine.importing.lines import read_line
from aperiodic.market import Exchange
from aperiodic.venues import RejectedFrameError
from aperiodic.venues.okx import Contract, read_contracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.engine.importing.files import SourceFile
    from aperiodic.engine.importing.refusals import Refusals

__all__ = ["Answers", "answer_frame", "contracts_in", "read_answers"]

_MAX_SNAPSHOTS: Final = 1_000
_PROBED_LINES: Final = 10
_OKX_INSTRUMENTS: Final = "/public/instruments"
_OKX_BOOK: Final = ("/market/books", "/market/books-full")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the files of one command say to each other.

    Attributes:
        contracts: Sizes of OKX contracts by OKX' name.
        snapshots: Order books, as frames that mappers read, each after its receive time (µs); ascending.
    """

    contracts: dict[str, Contract] = field(default_factory=dict)
    snapshots: list[tuple[int, bytes]] = field(default_factory=list)


class _Body(msgspec.Struct):
    data: msgspec.Raw


_BODY: Final = msgspec.json.Decoder(_Body)


def read_answers(exchange: Exchange, files: Sequence[SourceFile], refusals: Refusals) -> Answers:
    """Read all files that hold REST answers."""
    answers = Answers()
    for file in files:
        with refusals.of(file.path):
            if _holds_answers(file):
                for _, batch in Lines(file):
                    for line in batch:
                        with suppress(RejectedFrameError):
                            _take(exchange, line, answers)
    answers.snapshots.sort()
    return answers


def answer_frame(exchange: Exchange, url: str, body: bytes) -> bytes | None:
    """Return a REST answer as a frame that the exchange's mapper reads, None when nothing in it is wanted.

    Raises:
        RejectedFrameError: `malformed` when the answer is not what its address promises.
    """
    address = urlsplit(url)
    query = parse_qs(address.query)
    if exchange is Exchange.OKX_PERPS and address.path.endswith(_OKX_INSTRUMENTS):
        return body
    if exchange is Exchange.OKX_PERPS and address.path.endswith(_OKX_BOOK):
        channel = {"channel": "books", "instId": query.get("instId", [""])[0]}
        return msgspec.json.encode({"arg": channel, "action": "answer", "data": _data(body)})
    if exchange in {Exchange.BINANCE_FUTURES, Exchange.BINANCE} and address.path.endswith("/depth"):
        name = query.get("symbol", [""])[0].lower()
        return msgspec.json.encode({"stream": f"{name}@depthSnapshot", "data": msgspec.Raw(body)})
    return None


def contracts_in(body: bytes) -> dict[str, Contract]:
    """Return the contracts in OKX' answer to `instruments`.

    Raises:
        RejectedFrameError: `malformed` when it is no such answer.
    """
    return read_contracts(_data(body))


def _data(body: bytes) -> msgspec.Raw:
    try:
        return _BODY.decode(body).data
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None


def _holds_answers(file: SourceFile) -> bool:
    """Whether a file begins with a REST answer: recordings are not read for them."""
    for _, batch in Lines(file):
        for line in batch[:_PROBED_LINES]:
            with suppress(RejectedFrameError):
                read = read_line(line)
                if read.frame:
                    return bool(read.url) or read.local is None
        break
    return False


def _take(exchange: Exchange, line: bytes, answers: Answers) -> None:
    read = read_line(line)
    frame = answer_frame(exchange, read.url, read.frame) if read.url else read.frame
    if not frame:
        return
    if exchange is Exchange.OKX_PERPS and (not read.url or read.url.partition("?")[0].endswith(_OKX_INSTRUMENTS)):
        answers.contracts.update(contracts_in(frame))
    elif read.url and read.local is not None and len(answers.snapshots) < _MAX_SNAPSHOTS:
        answers.snapshots.append((read.local, frame))
