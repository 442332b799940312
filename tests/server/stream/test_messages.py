"""What is told is what the documents declare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from tests.server.stream.rows import row
from tests.server.stream.talking import opened

from aperiodic.server.openapi.asyncapi import asyncapi_document
from aperiodic.server.stream import messages
from aperiodic.server.stream.messages import CLOSE_CODES, MESSAGES

if TYPE_CHECKING:
    from tests.servers import Api
    from websockets.sync.client import ClientConnection

    from aperiodic.engine.live import LiveHub

TOLD = messages.Subscribed | messages.Unsubscribed | messages.Pong | messages.Heartbeat | messages.Problem
CHANNELS = ["updownticks.binance-futures.1m", "ohlc.binance-futures.1m"]


def told(client: ClientConnection) -> tuple[dict[str, Any], msgspec.Struct]:
    """Receive a message, and read it as it is declared; a field that is not is an error."""
    text = client.recv(timeout=20)
    plain = json.loads(text)
    kind: Any = TOLD if "op" in plain else messages.Row
    declared: msgspec.Struct = msgspec.json.decode(text, type=kind)
    given = msgspec.to_builtins(declared)
    assert plain == {name: given.get(name, plain[name]) for name in plain}
    assert set(plain) <= {"op", *declared.__struct_fields__}
    return plain, declared


def test_messages_are_those_of_the_document(api: Api, hub: LiveHub) -> None:
    with opened(api) as client:
        seen = []
        for question in (
            messages.Subscribe(list(CHANNELS), "s1"),
            messages.Subscribe(list(CHANNELS), since=0),
            messages.Ping("p1"),
            messages.Ping(),
            messages.Unsubscribe(["ohlc.binance-futures.1m"], "u1"),
        ):
            client.send(msgspec.json.encode(question).decode())
            seen.append(told(client))
        client.send("x")
        seen.append(told(client))
        hub.tell([row(0, dataset="updownticks")])
        seen.append(told(client))
    kinds = [type(declared).__name__ for _, declared in seen]
    assert kinds == ["Subscribed", "Subscribed", "Pong", "Pong", "Unsubscribed", "Problem", "Row"]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_examples_are_of_their_kind(message: messages.Message) -> None:
    kind = type(message.example)
    assert msgspec.convert(message.fields, kind) == message.example
    assert kind.__doc__


def test_the_document_is_served(api: Api) -> None:
    answer = httpx.get(f"{api.url}/asyncapi.json").json()
    assert answer["asyncapi"] == "3.0.0"
    assert answer["components"].keys() == asyncapi_document(None)["components"].keys()
    assert set(answer["components"]["messages"]) == {message.name for message in MESSAGES}
    for message in answer["components"]["messages"].values():
        assert message["payload"]["$ref"].rsplit("/", 1)[1] in answer["components"]["schemas"]
    for code in CLOSE_CODES:
        assert f"- {code}: " in answer["info"]["description"]


def test_its_host_is_that_of_the_server() -> None:
    servers = [asyncapi_document(url)["servers"]["this"] for url in ("https://data.example", None)]
    assert [(server["host"], server["protocol"]) for server in servers] == [
        ("data.example", "wss"),
        ("localhost:8000", "ws"),
    ]
