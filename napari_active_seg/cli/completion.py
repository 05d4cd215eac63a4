"""What the shell offers for the value of an option."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["completing"]


def completing(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return what typer asks: the names that begin as the person does."""
    known = tuple(names)

    def offer(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return offer
