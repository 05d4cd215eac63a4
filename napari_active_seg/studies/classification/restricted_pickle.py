"""Tables of bytes, numbers and arrays out of a pickle, without running anything that is in it.

The python files of CIFAR are pickles. Here their opcodes are read one by one, and only those that
build plain values and numpy's byte arrays mean anything; a file that asks for more is refused.
"""

from __future__ import annotations

import pickletools
from typing import Any

import numpy as np

from napari_active_seg.errors import ImageError

__all__ = ["plain_values"]

_MARK = object()
#: What a file may name: numpy's constructors of arrays and of types of numbers.
_NAMES = {
    "numpy.core.multiarray _reconstruct": "array",
    "numpy._core.multiarray _reconstruct": "array",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
}
_PUSHED = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "INT", "LONG1", "BINFLOAT"),
        *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    }
)
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset({"PROTO", "FRAME", "STOP"})
_KEPT = frozenset({"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"})
_FETCHED = frozenset({"BINGET", "LONG_BINGET", "GET"})


class _Array:
    """An array that is being put together."""

    def __init__(self) -> None:
        self.values: np.ndarray[Any, Any] | None = None


class _Type:
    """A type of numbers by its code, such as u1."""

    def __init__(self, code: str) -> None:
        self.code = code


def plain_values(raw: bytes) -> Any:
    """Return the value that a pickle holds; ImageError where it is not plain."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            machine.do(opcode.name, argument)
        return _finished(machine.stack[-1])
    except (ValueError, IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ImageError(f"a pickle that is not plain, or damaged: {error}") from error


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        if name in _IGNORED:
            return
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name in _KEPT:
            self._memo[len(self._memo) if argument is None else int(argument)] = self.stack[-1]
        elif name in _FETCHED:
            self.stack.append(self._memo[int(argument)])
        else:
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("TUPLE", "LIST"):
            found = self._since_mark()
            stack.append(tuple(found) if name == "TUPLE" else found)
        elif name in ("APPENDS", "APPEND"):
            found = self._since_mark() if name == "APPENDS" else [stack.pop()]
            stack[-1].extend(found)
        elif name in ("SETITEMS", "SETITEM"):
            found = self._since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            stack[-1].update(zip(found[::2], found[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(_named(argument))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_named(f"{stack[-2]} {stack[-1]}")]
        elif name == "REDUCE":
            given = stack.pop()
            stack.append(_called(stack.pop(), given))
        elif name == "BUILD":
            _fill(stack[-2], stack.pop())
        else:
            raise ValueError(f"it asks for {name}")

    def _since_mark(self) -> list[Any]:
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found


def _named(words: str) -> str:
    if words not in _NAMES:
        raise ValueError(f"it names {words}")
    return _NAMES[words]


def _called(what: object, given: tuple[Any, ...]) -> object:
    if what == "array":
        return _Array()
    if what == "dtype":
        return _Type(_text(given[0]))
    if what == "encode":
        return str(given[0]).encode("latin1")
    raise ValueError(f"it calls {what!r}")


def _fill(what: object, state: tuple[Any, ...]) -> None:
    """Give an array its shape and bytes; the description of a type is ignored."""
    if isinstance(what, _Type):
        return
    if not isinstance(what, _Array):
        raise ValueError("it builds something else than an array")
    _, shape, kind, in_columns, content = state
    if not isinstance(kind, _Type) or kind.code not in ("u1", "|u1", "i8", "<i8"):
        raise ValueError("its array is of no plain numbers")
    content = content if isinstance(content, bytes) else str(content).encode("latin1")
    values = np.frombuffer(content, kind.code.lstrip("|"))
    what.values = values.reshape(shape, order="F" if in_columns else "C")


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _finished(value: Any) -> Any:
    """Return a value with text for its names, and arrays in place of what built them."""
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {_text(key): _finished(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finished(one) for one in value]
    return value
