"""The installation that a command works on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from aperiodic.lake import Lake, Settings
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["open_lake", "read_settings"]


@contextmanager
def open_lake(*, to_restore: bool = False) -> Iterator[Lake]:
    """Open the installation that the settings name, and close it afterwards; see `Lake.open`."""
    lake = Lake.open(read_settings(), to_restore=to_restore)
    try:
        yield lake
    finally:
        lake.close()


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        InvalidInputError: `bad_setting`, naming the variable but not its value, which may be a secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise InvalidInputError(
            f"The setting APERIODIC_{str(fault['loc'][0]).upper()} is not valid: {fault['msg']}.",
            code="bad_setting",
            hint="Correct or unset this environment variable.",
        ) from None
