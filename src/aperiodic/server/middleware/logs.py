"""The server's log on standard error: a JSON object or a line of text for each request, and no secret in either."""

from __future__ import annotations

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["JsonFormatter", "TextFormatter", "configure_logs", "without_secrets"]

_SECRETS: Final = re.compile(
    r"(?P<key>ap_live_[0-9a-f]{1,12})_[0-9A-Za-z]+"
    r"|(?P<query>(?:signature|x-amz-signature|x-amz-credential|x-amz-security-token)(?:=|%3D))[^&\s\"']+"
    r"|(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@\"']+@"
    r"|(?P<bearer>bearer\s+)\S+",
    re.IGNORECASE,
)
_HIDDEN: Final = "***"


def without_secrets(text: str) -> str:
    """Return a text with keys, signatures, tokens and passwords of URLs replaced by `***`."""
    return _SECRETS.sub(lambda match: f"{match[match.lastgroup or 0]}{_HIDDEN}", text)


def configure_logs(log_format: Literal["json", "text", "none"]) -> None:
    """Let the server log on standard error, in place of what was configured for it before.

    Args:
        log_format: `json` for machines and `text` for people log every request; `none` logs only what failed on the
            server's side, as text.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logger = logging.getLogger("aperiodic.server")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.ERROR if log_format == "none" else logging.INFO)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `message` or the request's fields, and `error` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        line: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower()}
        request = getattr(record, "request", None)
        if request is None:
            line["message"] = without_secrets(record.getMessage())
        else:
            line |= request | {"path": without_secrets(request["path"])}
        if record.exc_info and record.exc_info[0] is not None:
            trace = without_secrets("".join(traceback.format_exception(*record.exc_info)))
            line["error"] = {"type": record.exc_info[0].__name__, "traceback": trace}
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line for people, and the traceback below it where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        request = getattr(record, "request", None)
        words = record.getMessage() if request is None else _words(request)
        lines = [f"{_time(record)} {record.levelname.lower():5} {words}"]
        if record.exc_info and record.exc_info[0] is not None:
            lines += "".join(traceback.format_exception(*record.exc_info)).rstrip().splitlines()
        return without_secrets("\n".join(lines))


def _words(request: dict[str, Any]) -> str:
    # Escaped, since a path may hold anything, line breaks included.
    path = request["path"].encode("unicode_escape").decode("ascii")
    extra = "".join(f" {name}={request[name]}" for name in ("code", "client", "caller") if request[name])
    answer = f"{request['status']} {request['bytes']} B {request['duration_ms']} ms"
    return f"{request['request_id']} {request['method']} {path} {answer}{extra}"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
