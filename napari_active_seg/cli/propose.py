"""Verbs that say where to look next: propose, guide, add-region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_active_seg.acquisition import (
    CHANGEABLE,
    STRATEGIES,
)
from napari_active_seg.cli.completion import completing
from napari_active_seg.cli.console import print_result
from napari_active_seg.cli.option_fields import NONE_GIVEN, add_options
from napari_active_seg.cli.options import (
    DeviceOption,
    JsonOption,
    ProjectArgument,
    opened,
    pair,
    run_verb,
)
from napari_active_seg.errors import ConfigError
from napari_active_seg.project import QueuedRegion, StrategyOptions
from napari_active_seg.session import Session
from napari_active_seg.session.proposals.strategy_file import strategy_from, write_strategy

__all__ = ["register"]


_Strategy = Annotated[
    str | None,
    typer.Option(
        help=f"A YAML file, or one of {', '.join(STRATEGIES)}.",
        autocompletion=completing(STRATEGIES),
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (propose, guide):
        app.command()(verb)
    app.command("add-region")(add_region)


@add_options(StrategyOptions, leave_out=("strategy",))
def propose(
    project: ProjectArgument,
    count: Annotated[int | None, typer.Option(help="How many regions.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Instead of --count: 8, 50000px, 300clicks or 10min."),
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of a region in pixels.")] = None,
    strategy: _Strategy = None,
    options: Mapping[str, Any] = NONE_GIVEN,
    stride: Annotated[
        int | None, typer.Option(help="Pixels between windows; default a quarter of the size.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help=f"Another part of the strategy, as unit=crops. {', '.join(CHANGEABLE)}."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of draws and ties.")] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save-strategy", help="Write the strategy that was asked to a YAML file."),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Choose the regions to label next; without a model those that stand for the pool by looks.

    Example: napari-active-seg propose my-project --budget 10min --cost learned --beta 1 --json
    """
    if count is not None and budget is not None:
        raise ConfigError("--count and --budget say the same; give one of them")
    with opened(project, device=device) as session:
        asked = session.proposals.strategy(
            strategy,
            changes=dict(pair(text, "--set") for text in changes or ()),
            size=size,
            stride=stride,
            **options,
        )
        run_verb(
            session,
            "Proposing",
            lambda: session.proposals.propose(
                count=count, budget=budget, strategy=asked, seed=seed
            ),
        )
        _tell(session, strategy, options.get("measure"), as_json=as_json)
        if save is not None:
            write_strategy(save, asked)


def _tell(session: Session, strategy: str | None, measure: str | None, *, as_json: bool) -> None:
    """Print the regions of the latest round, and what was said of them."""
    state, notes = session.state, session.proposals.notes
    name = strategy or session.project.config.acquisition.strategy
    latest = [queued for queued in state.queue if queued.round == state.round]
    facts = {
        "round": state.round,
        "strategy": name,
        "measure": measure or strategy_from(name).measure or state.measure,
        "model": state.model.id if state.model else None,
        "regions": [_facts(queued) for queued in latest],
        "notes": list(notes),
    }
    lines = [
        f"{q.region.image_id}  y {q.region.y}, x {q.region.x}, {q.region.height} x "
        f"{q.region.width}  {q.kind.display_name}  score {q.information:.4f}  {q.reason}"
        for q in latest
    ]
    print_result(facts, as_json=as_json, text="\n".join([*lines, *notes]))


def _facts(queued: QueuedRegion) -> dict[str, object]:
    return {
        "id": queued.id,
        "image": queued.region.image_id,
        "y": queued.region.y,
        "x": queued.region.x,
        "height": queued.region.height,
        "width": queued.region.width,
        "pixels": queued.place.pixels,
        "kind": queued.kind,
        "information": queued.information,
        "cost_s": queued.cost,
        "reason": queued.reason,
    }


def guide(
    project: ProjectArgument,
    size: Annotated[int | None, typer.Option(help="Side of a region in pixels.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure how alike the pool is and how much is labelled, and recommend a strategy.

    Example: napari-active-seg guide my-project
    """
    with opened(project, device=device, read_only=True) as session:
        advice = run_verb(session, "Looking", lambda: session.proposals.recommend(size=size))
        plan = session.proposals.plan()
    facts = {
        "strategy": advice.strategy,
        "unlabelled": advice.unlabelled,
        "redundancy": advice.redundancy,
        "likeness": advice.likeness,
        "places": advice.n_places,
        "covered": advice.covered,
        "words": advice.summary,
        "control_needed": plan.control.missing,
        "validation_needed": plan.validation.missing,
        "test_needed": plan.test.missing,
    }
    print_result(facts, as_json=as_json, text=f"{advice.summary}\n{plan.summary}")


def add_region(
    project: ProjectArgument,
    image: Annotated[str, typer.Argument(help="The image, by its name in the project.")],
    y: Annotated[int, typer.Option(help="First row of the region.")],
    x: Annotated[int, typer.Option(help="First column of the region.")],
    size: Annotated[
        int | None, typer.Option(help="Side of a square; default the project's region size.")
    ] = None,
    height: Annotated[int | None, typer.Option(help="Height of a box, with --width.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of a box, with --height.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a region of one's own, where the prediction is wrong.

    It trains like any other region, and no model is measured on it. It may not overlap another
    region, nor lie on an image that is set aside for validation or test.

    Example: napari-active-seg add-region my-project a.png --y 100 --x 240 --size 128
    """
    if (height is None) != (width is None) or (height is not None and size is not None):
        raise ConfigError("a region is given by --size, or by --height and --width together")
    with opened(project) as session:
        region_id = session.manual.add_region(image, y, x, size=size, height=height, width=width)
        queued = session.project.regions.get(region_id)
    r = queued.region
    text = f"{queued.id}  {r.image_id}  y {r.y}, x {r.x}, {r.height} x {r.width}: {queued.reason}"
    print_result(_facts(queued), as_json=as_json, text=text)
