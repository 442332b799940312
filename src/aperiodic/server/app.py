"""The application: routes, errors, request ids, CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide

from aperiodic.server.data import get_data
from aperiodic.server.errors import answer_error, request_id
from aperiodic.server.files import get_file
from aperiodic.server.health import get_health, get_readiness
from aperiodic.server.metadata import get_catalog, get_symbols
from aperiodic.server.secret import Secrets
from aperiodic.server.service import Service

if TYPE_CHECKING:
    from litestar.types import Message, Scope

    from aperiodic.lake import Lake, Settings

__all__ = ["create_app"]

_EXPOSED: Final = ["Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "X-Request-ID"]


def create_app(lake: Lake, settings: Settings) -> Litestar:
    """Build the HTTP application of an installation.

    Raises:
        LakeError: `weak_secret` or `secret_unavailable`.
    """
    service = Service(lake, Secrets.load(settings), settings)
    return Litestar(
        [get_data, get_symbols, get_catalog, get_file, get_health, get_readiness],
        before_send=[_name_request],
        cors_config=CORSConfig(allow_methods=["GET", "HEAD"], expose_headers=_EXPOSED, max_age=86_400),
        dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
        exception_handlers={Exception: answer_error},
        logging_config=None,
        openapi_config=None,
    )


async def _name_request(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message)["X-Request-ID"] = request_id(scope)
