"""The AsyncAPI 3.0 document of the live stream, made from its declared messages."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from aperiodic._version import __version__
from aperiodic.server.openapi.document import struct_schemas
from aperiodic.server.stream.messages import CLOSE_CODES, MESSAGES, REFUSALS

__all__ = ["asyncapi_document"]

_PATH: Final = "/v1/stream"


def asyncapi_document(public_url: str | None) -> dict[str, Any]:
    """Return the document.

    Args:
        public_url: Address of the server, or None where that is not known.
    """
    address = urlsplit(public_url or "http://localhost:8000")
    messages = {
        message.name: {
            "name": message.name,
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{message.name}"},
            "examples": [{"payload": dict(message.fields)}],
        }
        for message in MESSAGES
    }
    ends = "".join(f"\n- {code}: {words}" for code, words in CLOSE_CODES.items())
    refused = "".join(f"\n- {code.status} `{code.code}`: {code.message}" for code in REFUSALS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Aperiodic, live",
            "version": __version__,
            "description": "Bars the moment they close, with the numbers of the published files.\n\n"
            f"Refused with an HTTP answer, in the form of all errors, are:{refused}\n\n"
            f"The server closes a connection with:{ends}",
        },
        "servers": {
            "this": {
                "host": address.netloc,
                "protocol": "wss" if address.scheme == "https" else "ws",
                "security": [{"$ref": "#/components/securitySchemes/key"}],
            }
        },
        "channels": {
            "stream": {
                "address": _PATH,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            name: {
                "action": action,
                "channel": {"$ref": "#/channels/stream"},
                "messages": [
                    {"$ref": f"#/channels/stream/messages/{message.name}"}
                    for message in MESSAGES
                    if message.sender == sender
                ],
            }
            for name, action, sender in (("ask", "receive", "client"), ("tell", "send", "server"))
        },
        "components": {
            "messages": messages,
            "schemas": struct_schemas([type(message.example) for message in MESSAGES]),
            "securitySchemes": {"key": {"type": "httpApiKey", "in": "header", "name": "X-API-KEY"}},
        },
    }
