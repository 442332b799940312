"""`aperiodic completion`: scripts that let a shell complete commands, options and names."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from shlex import quote
from typing import TYPE_CHECKING, Final

from aperiodic.cli.client_options import new_parser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SHELLS", "completion", "script"]

_PARSERS: Final = {
    "get": "aperiodic.cli.getting:parser",
    "watch": "aperiodic.cli.watching:parser",
    "mcp": "aperiodic.cli.agents:parser",
    "login": "aperiodic.cli.logging_in:parser",
    "completion": "aperiodic.cli.completing:parser",
}
"""Where the words of a command are understood; those of `cli.discovering` are in its `PARSERS`."""

_BASH: Final = """\
# Completion of the command `aperiodic`.
_aperiodic() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev= command=${{COMP_WORDS[1]}} words=
    [ "$COMP_CWORD" -gt 0 ] && prev=${{COMP_WORDS[COMP_CWORD-1]}}
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W {commands} -- "$cur"))
        return
    fi
    case "$command $prev" in
{values}
    esac
    case "$command" in
{options}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [ -n "${{COMPREPLY[*]}}" ] || COMPREPLY=($(compgen -f -- "$cur"))
}}
complete -F _aperiodic aperiodic
"""
_ZSH: Final = "autoload -U +X bashcompinit && bashcompinit\n"


def completion(words: Sequence[str]) -> None:
    """Print the script for a shell.

    Args:
        words: What follows `aperiodic completion`.

    Raises:
        SystemExit: With 2 when the words cannot be understood.
    """
    sys.stdout.write(script(parser().parse_args(words).shell))


def parser() -> argparse.ArgumentParser:
    """Return what understands the words."""
    made = new_parser(
        "completion",
        'Print a script that completes commands, options and names. bash: eval "$(aperiodic completion bash)" in '
        "~/.bashrc; zsh: the same in ~/.zshrc, after compinit; fish: aperiodic completion fish | source",
    )
    made.add_argument("shell", choices=SHELLS)
    return made


def script(shell: str) -> str:
    """Return the script for a shell.

    Args:
        shell: One of `SHELLS`.
    """
    commands = _commands()
    return _fish(commands) if shell == "fish" else (_ZSH if shell == "zsh" else "") + _bash(commands)


SHELLS: Final = ("bash", "zsh", "fish")


def _commands() -> dict[str, dict[str, tuple[str, list[str]]]]:
    """Return the options of each command, with what each means and the values that are known; `` is what needs none."""
    from aperiodic.cli.commands import CLIENT_COMMANDS, SERVER_COMMANDS  # noqa: PLC0415 (they name this module)
    from aperiodic.cli.discovering import PARSERS  # noqa: PLC0415 (only for this command)

    parsers = dict(PARSERS)
    for name, place in _PARSERS.items():
        module, _, function = place.partition(":")
        parsers[name] = getattr(import_module(module), function)
    known = _known()
    found: dict[str, dict[str, tuple[str, list[str]]]] = {name: {} for name in (*CLIENT_COMMANDS, *SERVER_COMMANDS)}
    for name, make in parsers.items():
        for action in make()._actions:  # noqa: SLF001 (argparse has no other list of them)
            values = [str(choice) for choice in action.choices or known.get(action.dest, ())]
            for option in action.option_strings or [""]:
                found[name][option] = action.help or "", values
    return found


def _known() -> Mapping[str, Sequence[str]]:
    from aperiodic.catalog import DATASETS  # noqa: PLC0415 (only for this command)
    from aperiodic.market import Clock, Exchange, Interval  # noqa: PLC0415

    return {
        "metric": list(DATASETS),
        "name": list(DATASETS),
        "exchange": list(Exchange),
        "interval": list(Interval),
        "timestamp": list(Clock),
        "shape": ["long", "wide"],
        "fill": ["none", "null", "forward"],
    }


def _bash(commands: Mapping[str, Mapping[str, tuple[str, Sequence[str]]]]) -> str:
    values, options = [], []
    for command, each in commands.items():
        for option, (_, known) in each.items():
            if option and known:
                values.append(f"        {quote(f'{command} {option}')}) words={quote(' '.join(known))} ;;")
        plain = [*each.get("", ("", []))[1], *(option for option in each if option)]
        if plain:
            options.append(f'        {command}) [ -n "$words" ] || words={quote(" ".join(plain))} ;;')
    names = quote(" ".join([*commands, "--help", "--version"]))
    return _BASH.format(commands=names, values="\n".join(values), options="\n".join(options))


def _fish(commands: Mapping[str, Mapping[str, tuple[str, Sequence[str]]]]) -> str:
    lines = ["# Completion of the command `aperiodic`."]
    lines += [f"complete -c aperiodic -n __fish_use_subcommand -f -a {quote(' '.join(commands))}"]
    for command, each in commands.items():
        place = quote(f"__fish_seen_subcommand_from {command}")
        for option, (words, known) in each.items():
            values = f" -a {quote(' '.join(known))}" if known else ""
            if not option:
                lines += [f"complete -c aperiodic -n {place} -f{values}"] if known else []
                continue
            kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            told = f" -d {quote(words.replace('%%', '%'))}" if words else ""
            lines.append(f"complete -c aperiodic -n {place} {kind}{' -x' if known else ''}{values}{told}")
    return "\n".join(lines) + "\n"
