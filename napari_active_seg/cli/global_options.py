"""What is said anywhere on the line, and names on it that nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.cli.defaults import OptionSpec
from napari_active_seg.errors import ConfigError, did_you_mean

__all__ = ["ParsedArgs", "check_options_known", "split_global_options"]


@dataclass(frozen=True, slots=True)
class ParsedArgs:
    """The arguments of the verb, and the options of the program itself."""

    args: tuple[str, ...]
    debug: bool = False
    quiet: bool = False
    defaults: Path | None = None


def split_global_options(given: Sequence[str]) -> ParsedArgs:
    """Return the line with what may stand anywhere taken out of it."""
    words: list[str] = []
    defaults, debug, quiet = None, False, False
    rest = list(given)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += [word, *rest]
            break
        if word == "--debug":
            debug = True
        elif word in ("--quiet", "-q"):
            quiet = True
        elif word == "--defaults" and rest:
            defaults = Path(rest.pop(0))
        elif word.startswith("--defaults="):
            defaults = Path(word.partition("=")[2])
        else:
            words.append(word)
    return ParsedArgs(tuple(words), debug, quiet, defaults)


def check_options_known(
    words: Sequence[str], specs: Mapping[str, Mapping[str, OptionSpec]]
) -> None:
    """Raise ConfigError with what comes close where an option is none of its verb's."""
    if not words or words[0] not in specs:
        return
    verb = words[0]
    takes_value = {o: k.kind is not bool for k in specs[verb].values() for o in k.options}
    known = {*takes_value, "--help"}
    before = ""
    for word in words[1:]:
        if word == "--":
            return
        name = word.partition("=")[0]
        is_value = takes_value.get(before, False)
        if name.startswith("--") and name not in known and not is_value:
            raise ConfigError(f"{verb} has no option {name}: {did_you_mean(name, known)}")
        before = "" if is_value else word
