"""The forms of a line in a recording, told apart by what the line holds.

| line | form | meaning |
|---|---|---|
| `1680652700441533 {…}` | Aperiodic, hftbacktest | a frame after its receive time in ms, µs or ns |
| `1680652700.441533 {…}` | loggers that write floats | the same, in seconds or a finer unit with a fraction |
| `1626995753.3371751: {…}` | cryptofeed | a frame after its receive time in seconds |
| `https://… -> 1626995750.595871: {…}` | cryptofeed | a REST answer |
| `wss://… <-> 1626995752.3` | cryptofeed | a connection was opened |
| `wss://… <- 1626995753.1: {…}` | cryptofeed | a message of the recorder's own |
| `configuration: {…}` | cryptofeed | the recorder's own |
| `{…}` | a REST answer saved as it was | has no receive time |
| `1680652700441533000 a1 {…}` | Aperiodic's own segments | a frame of connection `a1` |
| `… a1 !b64 …` | the same | a frame that is not one line of UTF-8 |
| `… a1 !rest https://… 200 {…}` | the same | a REST answer with its status |
| `… a1 !open {…}`, `!close`, `!live`, `!silent`, `!gap` | the same | what the recorder tells of a connection |
| `… a1 !sent {…}`, `… - !clock {…}` | the same | the recorder's own |
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, NamedTuple

from aperiodic.venues import EARLIEST_US, LATEST_US, RejectedFrameError

__all__ = ["Line", "read_line"]

_MAX_STAMP_DIGITS: Final = 20
_MAX_URL: Final = 2_000
_MICROSECOND_DIGITS: Final = 6
_DECIMAL: Final = re.compile(rb"(\d{1,20})\.(\d{1,20})")
_SECONDS: Final = re.compile(rb"(\d{1,12})(?:\.(\d{1,20}))?")
_SCHEMES: Final = (b"https://", b"http://", b"wss://", b"ws://")
_CONNECTION: Final = re.compile(rb"[a-z][a-z0-9]{0,15}|-")
_WORD: Final = re.compile(rb"![a-z0-9_]{1,20}")
_TOLD: Final = frozenset({"open", "close", "live", "silent", "gap"})
_OWN: Final = {"sent": "outgoing"}
_SUCCESS: Final = b"200"
_OPENS_JSON: Final = frozenset({b"{", b"[", b'"'})


class Line(NamedTuple):
    """What one line holds.

    Attributes:
        local: Receive time, µs; None where the line has none.
        frame: JSON text as it was received; empty when the line holds no frame.
        url: Where a REST answer came from; empty for others.
        ignored: Kind of a line that holds no frame.
        connection: Which connection it came from; empty where the recording does not say.
        told: `open`, `close`, `live`, `silent` or `gap`: the recorder tells of a connection, and `frame` says what;
            empty for others.
    """

    local: int | None
    frame: bytes
    url: str = ""
    ignored: str = ""
    connection: str = ""
    told: str = ""


def read_line(line: bytes) -> Line:
    """Read one line, without its line break.

    Raises:
        RejectedFrameError: `malformed` when the line has none of the forms, `bad_receive_time` when its time is not
            between 2009 and 2100.
    """
    stamp, _, rest = line.partition(b" ")
    if stamp.isdigit():
        time = _whole_time(stamp)
        return Line(time, rest) if not rest or rest[:1] in _OPENS_JSON else _of_segment(time, rest)
    if (match := _DECIMAL.fullmatch(stamp)) is not None:
        return Line(_whole_time(match[1], match[2]), rest)
    if stamp.startswith(b"{"):
        return Line(None, line)
    if stamp == b"configuration:":
        return Line(None, b"", ignored="configuration")
    if stamp.endswith(b":"):
        return Line(_seconds(stamp[:-1]), rest)
    if stamp.startswith(_SCHEMES):
        return _with_address(stamp, rest)
    raise _no_receive_time()


def _of_segment(time: int, rest: bytes) -> Line:
    name, _, body = rest.partition(b" ")
    if _CONNECTION.fullmatch(name) is None or not body:
        # Text that is no JSON, such as a sign of life: the venue knows what it is.
        return Line(time, rest)
    connection = name.decode("ascii")
    if not body.startswith(b"!"):
        return Line(time, body, connection=connection)
    mark, _, said = body.partition(b" ")
    if _WORD.fullmatch(mark) is None:
        raise RejectedFrameError("malformed", "what the recorder tells has no name")
    word = mark[1:].decode("ascii")
    if word == "b64":
        return Line(time, _from_base64(said), connection=connection)
    if word == "rest":
        return _rest_answer(time, connection, said)
    if word in _TOLD:
        return Line(time, said, ignored="connection", connection=connection, told=word)
    # What a later version of the recorder may tell besides changes no tick.
    return Line(time, b"", ignored=_OWN.get(word, word), connection=connection)


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise RejectedFrameError("malformed", "the frame is not base64") from None


def _rest_answer(time: int, connection: str, said: bytes) -> Line:
    url, _, rest = said.partition(b" ")
    status, _, answer = rest.partition(b" ")
    if status != _SUCCESS or len(url) > _MAX_URL:
        return Line(time, b"", ignored="failed_rest_answer", connection=connection)
    return Line(time, answer, url=url.decode("ascii", "replace"), connection=connection)


def _with_address(address: bytes, rest: bytes) -> Line:
    arrow, _, told = rest.partition(b" ")
    stamp, _, body = told.partition(b" ")
    time = _seconds(stamp.removesuffix(b":").rstrip(b"\r"))
    if arrow == b"<->":
        return Line(time, b"", ignored="connection")
    if arrow == b"->" and address.startswith(b"http") and len(address) <= _MAX_URL:
        return Line(time, body, url=address.decode("ascii", "replace"))
    if arrow in {b"<-", b"->"}:
        return Line(time, b"", ignored="outgoing")
    raise _no_receive_time()


def _whole_time(stamp: bytes, fraction: bytes = b"") -> int:
    """Return a receive time in µs, floored; its unit is told by its magnitude, as 2009 to 2100 overlap in no two."""
    if len(stamp) > _MAX_STAMP_DIGITS:
        raise _no_receive_time()
    time = int(stamp)
    if time >= LATEST_US:
        return _checked(time // 1000)
    if time >= LATEST_US // 1000:
        return _checked(time)
    if time >= LATEST_US // 1_000_000:
        return _checked(int(stamp + fraction[:3].ljust(3, b"0")))
    # Whole seconds are no receive time: what follows each other would seem to come at once.
    return _seconds(stamp + b"." + fraction) if fraction else _checked(time)


def _seconds(stamp: bytes) -> int:
    """Return a time in seconds as µs, floored; digit by digit, because a float does not hold them all."""
    match = _SECONDS.fullmatch(stamp)
    if match is None:
        raise _no_receive_time()
    whole, fraction = match[1], match[2] or b""
    return _checked(int(whole + fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, b"0")))


def _checked(time: int) -> int:
    if not EARLIEST_US <= time < LATEST_US:
        raise RejectedFrameError("bad_receive_time", "the receive time is not between 2009 and 2100")
    return time


def _no_receive_time() -> RejectedFrameError:
    return RejectedFrameError("malformed", "the line does not begin with a receive time and a space")
