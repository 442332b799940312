"""The server of the Model Context Protocol: which tools there are, and how their errors are told."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import ValidationError

from aperiodic._version import __version__
from aperiodic.client.core import Core, Settings
from aperiodic.market import AperiodicDataError, InvalidInputError
from aperiodic.market.errors import unknown_value
from aperiodic.mcp.answers import error_text
from aperiodic.mcp.tools import Tools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server.mcpserver import Context
    from mcp_types import InputRequiredResult

__all__ = ["build_server", "serve_agents"]

_INSTRUCTIONS: Final = """\
Crypto market-microstructure bars: trades, order books and derivatives of exchanges, as datasets of number columns.
Begin with search or catalog, then describe, symbols and coverage, and read bars with slice and statistics.
A bar is named by its start (UTC) and known at its end: an analysis that uses it earlier looks ahead.
Bars in which nothing happened have no row; coverage and notes tell where data is missing, or simulated.
Answers are small: at most 200 rows and 64 KB. `cut` is null when all of it is there, and else says how to go on.
Errors have a code, a message and a hint.
For whole ranges write Python: aperiodic.get_metrics(metric=..., symbol=..., start_date=..., ...) returns a data frame."""

_AT_ONCE: Final = 4
_LONGEST_S = 120.0
_MOST_FAULTS: Final = 5

_log = logging.getLogger(__name__)


class AgentServer(MCPServer[Any]):
    """Calls tools a few at a time, and tells every error as JSON with a code and a hint.

    Args:
        core: Whom the tools ask.
    """

    def __init__(self, core: Core) -> None:
        @asynccontextmanager
        async def with_connections(_: MCPServer[Any]) -> AsyncIterator[None]:
            await core.open()
            try:
                yield
            finally:
                await core.close()

        super().__init__(
            "aperiodic", version=__version__, instructions=_INSTRUCTIONS, lifespan=with_connections, log_level="ERROR"
        )
        self._slots = asyncio.Semaphore(_AT_ONCE)
        tools = Tools(core)
        for tool, title, asks in (
            (tools.catalog, "List datasets", False),
            (tools.search, "Find datasets and fields", False),
            (tools.describe, "Describe a dataset or a field", False),
            (tools.symbols, "List instruments", True),
            (tools.coverage, "What is published", True),
            (tools.slice, "Read some bars", True),
            (tools.statistics, "Statistics of bars", True),
        ):
            hints = ToolAnnotations(
                title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=asks
            )
            self.add_tool(
                tool, title=title, description=inspect.getdoc(tool), annotations=hints, structured_output=False
            )

    async def list_tools(self) -> list[Tool]:
        """List the tools; their schemas say that other arguments are refused."""
        tools = await super().list_tools()
        for tool in tools:
            tool.input_schema = {**tool.input_schema, "additionalProperties": False}
        return tools

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        context: Context[Any, Any] | None = None,
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what goes wrong is an answer too.

        Args:
            name: Of the tool.
            arguments: By name.
            context: Of the request.
        """
        try:
            self._refuse_unknown(name, arguments, {tool.name: tool for tool in await self.list_tools()})
            async with self._slots, asyncio.timeout(_LONGEST_S):
                return await super().call_tool(name, arguments, context)
        except TimeoutError:
            error = AperiodicDataError(
                f"The answer took longer than {_LONGEST_S:.0f} s.",
                code="too_slow",
                hint="Ask for a shorter range or fewer columns, or try again later.",
            )
        except AperiodicDataError as refused:
            error = refused
        except ToolError as failed:
            error = _told(failed)
        return CallToolResult(content=[TextContent(type="text", text=error_text(error))], is_error=True)

    @staticmethod
    def _refuse_unknown(name: str, arguments: dict[str, Any], tools: dict[str, Tool]) -> None:
        """Refuse names that mean nothing: an option that is not understood must not be passed over.

        Raises:
            InvalidInputError: `unknown_tool` or `unknown_argument`, naming the nearest one.
        """
        if name not in tools:
            raise unknown_value("tool", name, tools)
        known = tools[name].input_schema.get("properties", {})
        for argument in arguments:
            if argument not in known:
                raise unknown_value("argument", argument, known)


def build_server(base_url: str | None = None) -> AgentServer:
    """Return a server that asks an API with the key of the environment, which is read when a tool needs it.

    Args:
        base_url: Address of the API; by default APERIODIC_API_URL.

    Raises:
        InvalidInputError: The settings are not valid.
    """
    settings = Settings.parse(None, base_url, None, 10, 60.0, None, show_progress=False, offline=None)
    return AgentServer(Core(settings))


def serve_agents(base_url: str | None = None) -> None:
    """Answer on standard output to what comes on standard input, until that ends.

    Args:
        base_url: As of `build_server`.

    Raises:
        InvalidInputError: The settings are not valid.
    """
    build_server(base_url).run("stdio")


def _told(failed: ToolError) -> AperiodicDataError:
    cause = failed.__cause__
    if isinstance(cause, AperiodicDataError):
        return cause
    if isinstance(cause, ValidationError):
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in cause.errors(include_url=False, include_context=False, include_input=False)[:_MOST_FAULTS]
        ]
        return InvalidInputError(
            f"The arguments are not valid: {'; '.join(faults)}.",
            code="bad_arguments",
            hint="Follow the tool's input schema.",
        )
    _log.error("A tool failed.", exc_info=cause or failed)
    return AperiodicDataError(
        "The tool failed.",
        code="unexpected",
        hint="This is a fault of the program; standard error of aperiodic mcp has the traceback.",
    )
