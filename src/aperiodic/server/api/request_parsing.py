"""Reading a request by the parameters that its endpoint declares: every problem is found, all are reported together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl

from litestar.status_codes import HTTP_404_NOT_FOUND

from aperiodic.market import InvalidInputError
from aperiodic.market.errors import unknown_value
from aperiodic.server.endpoints import Given, declared_endpoints
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from litestar import Request
    from sqlalchemy import Connection

    from aperiodic.market import AperiodicDataError
    from aperiodic.server.endpoints import Parameter
    from aperiodic.server.queries.reading import Reading

__all__ = ["read_query", "read_query_once"]

_MAX_QUERY_BYTES: Final = 4096
_MAX_PARAMETERS: Final = 32
_QUERY_BYTES: Final = 1_500
"""About what the parameters of a request take, bytes, beside its text."""

Query = TypeVar("Query")


def read_query(request: Request[Any, Any, Any], connection: Connection, kind: Callable[..., Query]) -> Query:
    """Return the parameters of a request as its endpoint declares them.

    Args:
        request: The request.
        connection: Open connection to the ledger, for the endpoint's checks.
        kind: Takes the values by the names of their parameters; optional ones that are not given are left out.

    Raises:
        RequestError: 400 or 404 with every problem found; 414 when the query is too long.
    """
    endpoint = declared_endpoints([request.route_handler])[0]
    parsed = [parameter for parameter in endpoint.parameters if parameter.parse is not None]
    in_path = [parameter for parameter in parsed if parameter.place == "path"]
    # What has to be there comes first, in the words of an error too.
    in_query = sorted((part for part in parsed if part.place == "query"), key=lambda part: not part.required)
    sent = _split(request.scope["query_string"], [parameter.name for parameter in in_query])
    texts: dict[str, list[str]] = {part.name: [str(request.path_params[part.name])] for part in in_path}
    for name, text in sent:
        texts.setdefault(name, []).append(text)
    values: dict[str, Any] = {}
    problems: list[AperiodicDataError] = []
    for parameter in (*in_path, *in_query):
        if len(texts.get(parameter.name, ())) > parameter.most:
            continue  # one error about it is enough
        try:
            if parameter.required or parameter.name in texts:
                values[parameter.name] = _parse(parameter, texts.get(parameter.name, [""]))
        except InvalidInputError as problem:
            problems.append(problem)
    problems += _wrong_names([name for name, _ in sent], in_query)
    given = Given(values, frozenset(texts), connection)
    for check in endpoint.checks:
        problems += check.find(given)
    _refuse_if_any(problems)
    return kind(**values)


def read_query_once(request: Request[Any, Any, Any], ledger: Reading, kind: Callable[..., Query]) -> Query:
    """Return the parameters as `read_query` does, read once for all requests that are written alike.

    Args:
        request: The request, of an endpoint whose checks depend on nothing but the ledger.
        ledger: The ledger.
        kind: As for `read_query`, which says what is raised too.
    """
    path, written = request.scope["path"], request.scope["query_string"]
    size = _QUERY_BYTES + len(path) + len(written)
    return ledger.once(("query", path, written), lambda: read_query(request, ledger.connection, kind), lambda _: size)


def _split(query_string: bytes, names: Sequence[str]) -> list[tuple[str, str]]:
    if len(query_string) > _MAX_QUERY_BYTES:
        raise refuse(ErrorCode.QUERY_TOO_LONG, most=_MAX_QUERY_BYTES, names=", ".join(names))
    try:
        return parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise refuse(ErrorCode.TOO_MANY_PARAMETERS, most=_MAX_PARAMETERS, names=", ".join(names)) from None


def _parse(parameter: Parameter, texts: Sequence[str]) -> object:
    if not all(texts):
        raise ErrorCode.MISSING_PARAMETER.problem(name=parameter.name)
    found = texts if parameter.parse is None else [parameter.parse(text) for text in texts]
    return found[-1] if parameter.most == 1 else tuple(dict.fromkeys(found))


def _wrong_names(sent: Sequence[str], known: Sequence[Parameter]) -> Iterable[AperiodicDataError]:
    names = [parameter.name for parameter in known]
    yield from (unknown_value("parameter", name, names) for name in dict.fromkeys(sent) if name not in names)
    for parameter in known:
        if sent.count(parameter.name) > parameter.most:
            code = ErrorCode.REPEATED_PARAMETER if parameter.most == 1 else ErrorCode.REPEATED_TOO_OFTEN
            yield code.problem(name=parameter.name, most=parameter.most)


def _refuse_if_any(problems: Sequence[AperiodicDataError]) -> None:
    """Raise for the problems found; wrong ones come before unknown ones, so that the first one's status is true."""
    if problems:
        raise RequestError(sorted(problems, key=_is_unknown))


def _is_unknown(problem: AperiodicDataError) -> bool:
    code = ErrorCode.of(problem)
    return code is not None and code.status == HTTP_404_NOT_FOUND
