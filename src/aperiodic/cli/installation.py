"""The installation that a command works on."""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from aperiodic.cli.console import errors
from aperiodic.lake import Lake, LakeError, Settings, Store
from aperiodic.lake.lake import ledger_lost
from aperiodic.lake.ledger import is_unused
from aperiodic.lake.own_store import own_store_of
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Begin", "open_lake", "open_store", "prepare", "read_settings", "require_installation", "store_is_there"]


Model = TypeVar("Model", bound=Settings)


class Begin(Enum):
    """Where a command may begin a new installation, so that a mistyped APERIODIC_HOME is not taken for an empty one."""

    NOWHERE = "it works on what is there"
    IN_A_FOLDER = "where the folder exists, as a mounted volume does"
    ANYWHERE = "it is a command to begin with"


@contextmanager
def open_lake(begin: Begin = Begin.NOWHERE, *, to_restore: bool = False) -> Iterator[Lake]:
    """Open the installation that the settings name, and close it afterwards; see `prepare` and `Lake.open`."""
    settings = read_settings(Settings)
    prepare(settings, begin)
    lake = Lake.open(settings, to_restore=to_restore)
    try:
        yield lake
    finally:
        lake.close()


def prepare(settings: Settings, begin: Begin = Begin.NOWHERE) -> None:
    """Make sure that there is an installation with the ledger of its store, or say that a new one begins.

    A ledger that nothing was ever written to, beside a store that holds anything, is a lost one. Commands that may
    begin an installation anywhere go on, so that an import can follow on one that broke off; `Lake.open` looks on.

    Raises:
        LakeError: `no_installation` when there is none and the command may not begin one, `ledger_lost`.
    """
    require_installation(settings, begin)
    # Asked once more, for an import may have begun meanwhile.
    if (
        begin is not Begin.ANYWHERE
        and is_unused(settings.ledger_url)
        and _store_is_full(settings)
        and is_unused(settings.ledger_url)
    ):
        raise ledger_lost()


def require_installation(settings: Settings, begin: Begin = Begin.NOWHERE) -> None:
    """Make sure that there is an installation, be its ledger lost or not, or say that a new one begins.

    Raises:
        LakeError: `no_installation` when there is none and the command may not begin one.
    """
    if _ledger_exists(settings):
        return
    home = settings.home.absolute()
    if home.is_dir() and _store_is_full(settings):
        return  # a lost ledger
    if begin is Begin.NOWHERE or (begin is Begin.IN_A_FOLDER and not home.is_dir()):
        raise LakeError(
            f"There is no installation in {home}.",
            code="no_installation",
            hint="Check APERIODIC_HOME (default: ./aperiodic-data). A new one begins with the commands up, import, "
            "backfill, simulate and demo.",
        )
    errors.print(f"New installation in {home}", highlight=False, markup=False, soft_wrap=True)


def _ledger_exists(settings: Settings) -> bool:
    """Whether there is a ledger; of a database server, only opening it can tell."""
    try:
        location = make_url(settings.ledger_url)
    except ArgumentError:
        return True
    if location.get_backend_name() != "sqlite" or location.database is None:
        return True
    return location.database.startswith((":memory:", "file:")) or Path(location.database).exists()


def _store_is_full(settings: Settings) -> bool:
    """Whether the store holds what a ledger knew; a folder that is not there is not made for that."""
    return store_is_there(settings) and Store(settings.store_url).holds_objects()


def open_store(settings: Settings) -> Store:
    """Open the store alone; no other is taken than that which the ledger names, if there is a ledger.

    Raises:
        LakeError: `bad_store_url`, `store_unavailable` or `ledger_unavailable`.
    """
    store = Store(settings.store_url)
    own = own_store_of(settings.ledger_url)
    if own is not None and own.is_marked:
        store.presence.expect(own.store_id)
    return store


def store_is_there(settings: Settings) -> bool:
    """Whether the folder of the store is there; of a bucket, only asking it can tell."""
    parts = urlsplit(settings.store_url)
    return parts.scheme != "file" or Path(url2pathname(parts.path)).is_dir()


def read_settings(model: type[Model]) -> Model:
    """Read settings from the environment: those of the installation, or of the server as well.

    Raises:
        InvalidInputError: `bad_setting`, naming the variable but not its value, which may be a secret.
    """
    try:
        return model()
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise InvalidInputError(
            f"The setting APERIODIC_{str(fault['loc'][0]).upper()} is not valid: {fault['msg']}.",
            code="bad_setting",
            hint="Correct or unset this environment variable.",
        ) from None
