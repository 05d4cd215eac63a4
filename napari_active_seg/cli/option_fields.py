"""Options of verbs that are made from the fields of option models."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import typer

from napari_active_seg.cli.completion import completing
from napari_active_seg.models.options import OptionField, Options

__all__ = ["NONE_GIVEN", "add_options"]

#: What the parameter ``options`` of a verb is where no option was given.
NONE_GIVEN: Mapping[str, Any] = MappingProxyType({})


def add_options(
    model: type[Options], *, only: Collection[str] = (), leave_out: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a verb one option for each field of ``model``.

    The verb receives those that were given in its parameter ``options``, by the field's name.

    Parameters
    ----------
    model
        The options that the command line shows.
    only
        Names of the fields that are shown; by default all of them.
    leave_out
        Names of fields that the verb declares itself.
    """
    fields = {
        name: field
        for name, field in model.list_fields().items()
        if (name in only or not only) and name not in leave_out
    }

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in fields}
            verb(**given, options={k: v for k, v in chosen.items() if v is not None})

        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(verb, eval_str=True).parameters.values():
            if parameter.name == "options":
                parameters += [_parameter_for(field) for field in fields.values()]
            else:
                parameters.append(parameter)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _parameter_for(field: OptionField) -> inspect.Parameter:
    help_text = field.description
    if field.choices:
        help_text += f" One of {field.range}."
    elif field.range:
        help_text += f" Range: {field.range}."
    completion = completing(field.choices) if field.choices else None
    option = typer.Option(help=help_text, autocompletion=completion)
    return inspect.Parameter(
        field.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[field.kind | None, option],
    )
