"""The base of all option models: each option is declared once, and everything else reads it here.

A field has a type, a default, a range, a description and, where it is one of several names, its
choices. The command line, the window and the reference are made from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, core_schema, to_jsonable_python

from napari_active_seg.errors import ConfigError, did_you_mean

__all__ = ["OneOf", "OptionField", "Options", "describe_invalid", "runtime"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Metadata of a text field whose values are the names of a registry."""

    what: str  #: the noun for messages, such as "strategy"
    names: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of the field with a check of the name."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, value: str) -> str:
        """Return ``value``; ConfigError with the known names where it is none of them."""
        names = tuple(self.names())
        if value not in names:
            raise ConfigError(f"no {self.what} {value!r}: {did_you_mean(value, names)}")
        return value


@dataclass(frozen=True, slots=True)
class OptionField:
    """An option as the command line, the window and the reference show it."""

    name: str
    kind: Any  #: its type without None: str, int, float, bool or a tuple
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    unset: str | None = None  #: the word for None, where there is one

    @property
    def range(self) -> str:
        """A description of the possible values; empty where any is."""
        if self.choices:
            return ", ".join(self.choices)
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:,g} to {self.at_most:,.10g}"
        parts = (
            None if self.at_least is None else f"{self.at_least:,g} or more",
            None if self.above is None else f"above {self.above:,g}",
            None if self.at_most is None else f"at most {self.at_most:,.10g}",
            None if self.below is None else f"below {self.below:,g}",
        )
        return " and ".join(part for part in parts if part)


def runtime(default: Any, **bounds: Any) -> Any:
    """Return a field that a run sets and no person; it is not stored as a setting."""
    return Field(default=default, exclude=True, **bounds)


class Options(BaseModel):
    """Base class of options: invalid values raise ConfigError with the name and the range."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: The word that stands for None in files and on the command line.
    unset: ClassVar[str] = ""

    @model_validator(mode="wrap")
    @classmethod
    def _raise_config_error(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(cls._without_unset(value))
        except ValidationError as error:
            raise ConfigError(describe_invalid(error, cls)) from error

    @classmethod
    def _without_unset(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        optional = {name for name, f in cls.model_fields.items() if NoneType in _members(f)}
        return {
            key: None if key in optional and given == cls.unset else given
            for key, given in value.items()
        }

    def with_changes(self, /, **changes: object) -> Self:
        """Return the options with some of them changed; ConfigError if one is invalid."""
        return type(self).model_validate({**dict(self), **changes})

    def as_facts(self) -> dict[str, Any]:
        """Return all values, those of a run included, as JSON stores them."""
        facts: dict[str, Any] = to_jsonable_python(dict(self))
        return facts

    @classmethod
    def list_fields(cls) -> dict[str, OptionField]:
        """Return the options that a person may set, by name."""
        return {
            name: _describe_field(name, field, cls.unset)
            for name, field in cls.model_fields.items()
            if not (field.exclude or field.frozen)
        }


def describe_invalid(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe the first invalid field, its value and the possible values."""
    first: ErrorDetails = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    kind, given = first["type"], first["input"]
    field = model.model_fields.get(str(first["loc"][0])) if first["loc"] else None
    if kind == "extra_forbidden":
        return f"no setting {name!r}: {did_you_mean(name, model.model_fields)}"
    if kind == "missing":
        return f"{name} is missing"
    if field is not None:
        shown = _describe_field(name, field, "")
        if shown.choices:
            return f"no {name} {given!r}: {did_you_mean(str(given), shown.choices)}"
        if kind.startswith(("greater_than", "less_than")):
            return f"{name} must be {shown.range}, got {given!r}"
    words = str(first["msg"]).removeprefix("Value error, ")
    if not name:
        return words
    return f"{name}: {words[:1].lower()}{words[1:]}, got {given!r}"


def _members(field: FieldInfo) -> tuple[Any, ...]:
    """Return the types of a field, apart."""
    kind = field.annotation
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _describe_field(name: str, field: FieldInfo, unset: str) -> OptionField:
    kinds = [kind for kind in _members(field) if kind is not NoneType]
    kind, metadata = kinds[0], list(field.metadata)
    if hasattr(kind, "__metadata__"):  # Annotated[...] inside of ... | None
        kind, *inner = get_args(kind)
        metadata += inner
    choices: tuple[str, ...] = ()
    if get_origin(kind) is Literal:
        choices, kind = get_args(kind), str
    bounds: dict[str, Any] = {}
    for one in metadata:
        if isinstance(one, OneOf):
            choices = tuple(one.names())
        for bound, key, value in (
            (Ge, "at_least", "ge"),
            (Gt, "above", "gt"),
            (Le, "at_most", "le"),
            (Lt, "below", "lt"),
        ):
            if isinstance(one, bound):
                bounds[key] = getattr(one, value)
    return OptionField(
        name=name,
        kind=kind,
        default=field.default,
        description=field.description or "",
        choices=choices,
        unset=(unset or None) if NoneType in _members(field) else None,
        **bounds,
    )
