"""Profiles: addresses and keys in `~/.config/aperiodic/config.toml`, for what neither arguments nor environment tell.

    default = "main"

    [profiles.main]
    base_url = "https://data.example/api/v1"
    api_key = "…"

`APERIODIC_PROFILE` names the one to use, else `default` does; `APERIODIC_CONFIG` names another file. The key of a profile is sent to its own address only.
`aperiodic login` writes the file, readable by its owner alone.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aperiodic.market import InvalidInputError
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Profile",
    "Profiles",
    "config_file",
    "current_profile",
    "parse_profile_name",
    "read_profiles",
    "write_profiles",
]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_BYTES: Final = 1 << 20
_KEYS: Final = frozenset({"api_key", "base_url"})


@dataclass(frozen=True, slots=True)
class Profile:
    """Where to ask, and as whom.

    Attributes:
        base_url: Address of the API; None for the default one.
        api_key: Key for that address; None when it needs another source.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the file holds.

    Attributes:
        named: Profiles by name.
        default: The one that is used when none is named; None: none is.
        others: Names of what this version does not know.
    """

    named: Mapping[str, Profile] = field(default_factory=dict)
    default: str | None = None
    others: tuple[str, ...] = ()


def config_file() -> Path:
    """Return where the profiles are."""
    named = os.environ.get("APERIODIC_CONFIG")
    if named:
        return Path(named)
    if os.name == "nt":
        folder = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "aperiodic" / "config.toml"


def current_profile() -> Profile:
    """Return the profile that is used; an empty one where there is none.

    Raises:
        InvalidInputError: `unknown_profile` for a name that is not in the file, `bad_config` for a file that cannot be
            read.
    """
    name = os.environ.get("APERIODIC_PROFILE")
    profiles = read_profiles()
    if not name:
        name = profiles.default
        if name is None:
            return Profile()
    try:
        return profiles.named[name]
    except KeyError:
        unknown = unknown_value("profile", name, profiles.named)
        hint = unknown.hint if profiles.named else f"Make it with: aperiodic login --profile {name[:64]}"
        raise InvalidInputError(unknown.message, code=unknown.code, hint=hint) from None


def read_profiles() -> Profiles:
    """Read the file; there may be none.

    Raises:
        InvalidInputError: `bad_config`.
    """
    path = config_file()
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except OSError as error:
        raise _bad(path, error.strerror or str(error)) from error
    if len(data) > _MOST_BYTES:
        raise _bad(path, "it is too large")
    try:
        return _profiles(tomllib.loads(data.decode()))
    except ValueError as error:
        # The words of the parser name a place in the file, never what stands there.
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else (error.args[0] if error.args else "")
        raise _bad(path, "it is not text" if isinstance(error, UnicodeDecodeError) else said) from None


def write_profiles(profiles: Profiles) -> Path:
    """Write the file anew, readable by its owner alone; it is the old one or the new one at any moment.

    Raises:
        InvalidInputError: `bad_config` where it holds what this version would lose, or cannot be written.
    """
    path = config_file()
    if profiles.others:
        raise _bad(
            path, f"it holds {', '.join(profiles.others)[:200]}, which this version does not know and would lose"
        )
    lines = [] if profiles.default is None else [f"default = {_quoted(profiles.default)}", ""]
    for name, profile in profiles.named.items():
        lines.append(f"[profiles.{name}]")
        values = {"base_url": profile.base_url, "api_key": profile.api_key}
        lines += [*(f"{key} = {_quoted(value)}" for key, value in values.items() if value is not None), ""]
    target = path.resolve()  # a link to a file elsewhere stays one
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            draft.unlink()
        with open(draft, "x", encoding="utf-8", opener=_owner_only) as file:
            file.write("\n".join(lines))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        raise _bad(path, f"it cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return path


def parse_profile_name(name: str) -> str:
    """Return the name of a profile if it can be one.

    Raises:
        InvalidInputError: `bad_profile`.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name[:100]!r} cannot be the name of a profile.",
            code="bad_profile",
            hint="Use letters, digits, - and _, at most 64.",
        )
    return name


def _profiles(content: Mapping[str, Any]) -> Profiles:
    tables, default = content.get("profiles", {}), content.get("default")
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ValueError("profiles is not a table of tables")
    if default is not None and not isinstance(default, str):
        raise ValueError("default is not a name")
    named = {}
    others = [name for name in content if name not in {"profiles", "default"}]
    for name, table in tables.items():
        values = {key: value for key, value in table.items() if key in _KEYS}
        if not _NAME.fullmatch(name) or not all(isinstance(value, str) for value in values.values()):
            raise ValueError(f"a profile, its base_url or its api_key is not text ({name[:64]!r})")
        named[name] = Profile(**values)
        others += [f"profiles.{name}.{key}" for key in table if key not in _KEYS]
    return Profiles(named, default, tuple(others))


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # of printable text, what JSON writes TOML reads


def _bad(path: Path, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"The profiles in {path} cannot be used: {reason.rstrip('.')}.",
        code="bad_config",
        hint="Correct the file, or move it away and run: aperiodic login",
    )
