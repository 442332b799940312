"""`aperiodic login`: keeps an address and a key in a profile, for the client and its commands."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aperiodic.cli.client_options import new_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from aperiodic.client.profiles import Profiles

__all__ = ["login", "parser"]

_FIRST_NAME: Final = "main"
_LONGEST_KEY: Final = 600


def login(words: Sequence[str]) -> None:
    """Keep an address and a key in a profile; list profiles, or remove one.

    Args:
        words: What follows `aperiodic login`.

    Raises:
        InvalidInputError: The name, the address or the key is not valid, or the file cannot be read or written.
        APIError: The server does not take the key; nothing is kept.
        AperiodicDataError: `server_unreachable`; nothing is kept.
        SystemExit: With 2 when the words cannot be understood.
    """
    asked = parser().parse_args(words)
    from aperiodic.client.profiles import parse_profile_name, read_profiles  # noqa: PLC0415 (not for --help)

    profiles = read_profiles()
    if asked.list:
        _list(profiles)
        return
    name = parse_profile_name(asked.profile or os.environ.get("APERIODIC_PROFILE") or profiles.default or _FIRST_NAME)
    if asked.remove:
        _remove(profiles, name)
    else:
        _keep(profiles, name, asked)


def parser() -> argparse.ArgumentParser:
    """Return what understands the words."""
    made = new_parser(
        "login",
        "Keep an address and a key in ~/.config/aperiodic/config.toml, which only you can read. The client and its "
        "commands use them where neither arguments nor APERIODIC_API_KEY and APERIODIC_API_URL tell. The key is asked "
        "for, or read from standard input; it is never printed.",
    )
    made.add_argument("--profile", metavar="NAME", help="which profile; by default APERIODIC_PROFILE, else the default")
    made.add_argument("--url", help="address of the API; by default APERIODIC_API_URL, else that of the profile")
    made.add_argument("--default", action="store_true", help="use this profile where none is named")
    made.add_argument("--no-check", action="store_true", help="do not ask the server whether it takes the key")
    made.add_argument("--list", action="store_true", help="list the profiles, without their keys")
    made.add_argument("--remove", action="store_true", help="remove the profile and its key")
    return made


def _keep(profiles: Profiles, name: str, asked: argparse.Namespace) -> None:
    from aperiodic.client.key_check import ask_plan  # noqa: PLC0415 (not for --help)
    from aperiodic.client.profiles import Profile, write_profiles  # noqa: PLC0415
    from aperiodic.client.request import DEFAULT_BASE_URL, Account, parse_base_url  # noqa: PLC0415
    from aperiodic.client.sync import run_blocking  # noqa: PLC0415

    before = profiles.named.get(name, Profile())
    named = asked.url or os.environ.get("APERIODIC_API_URL")
    address = parse_base_url(named or before.base_url or DEFAULT_BASE_URL)
    account = Account.parse(_read_key(address), address)
    plan = None if asked.no_check else run_blocking(ask_plan(account))
    kept = {**profiles.named, name: Profile(address, account.api_key)}
    default = name if asked.default or profiles.default not in kept else profiles.default
    path = write_profiles(replace(profiles, named=kept, default=default))
    told = f" The key is of the plan {plan}." if plan else ""
    used = "is used by default" if default == name else f"is used with APERIODIC_PROFILE={name} or --profile {name}"
    sys.stdout.write(f"Kept in {path}: the profile {name} for {address} {used}.{told}\n")
    for variable in ("APERIODIC_API_KEY", "APERIODIC_API_URL"):
        if os.environ.get(variable):
            sys.stderr.write(f"warning: {variable} is set and goes before the profile.\n")


def _read_key(address: str) -> str:
    if sys.stdin.isatty():
        import getpass  # noqa: PLC0415 (as above)

        return getpass.getpass(f"API key for {address}: ").strip()
    return sys.stdin.readline(_LONGEST_KEY).strip()


def _list(profiles: Profiles) -> None:
    from aperiodic.client.request import DEFAULT_BASE_URL  # noqa: PLC0415 (not for --help)

    for name, profile in profiles.named.items():
        mark = "*" if name == profiles.default else " "
        sys.stdout.write(f"{mark} {name}  {profile.base_url or DEFAULT_BASE_URL}\n")
    if not profiles.named:
        sys.stderr.write("There is no profile. Make one with: aperiodic login\n")


def _remove(profiles: Profiles, name: str) -> None:
    from aperiodic.client.profiles import write_profiles  # noqa: PLC0415 (not for --help)
    from aperiodic.market.errors import unknown_value  # noqa: PLC0415

    if name not in profiles.named:
        raise unknown_value("profile", name, profiles.named)
    left = {other: profile for other, profile in profiles.named.items() if other != name}
    default = profiles.default if profiles.default in left else None
    write_profiles(replace(profiles, named=left, default=default))
    sys.stdout.write(f"The profile {name} is removed.\n")
