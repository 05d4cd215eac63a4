"""Write the model in use for other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_active_seg.export import write_model
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.session.prediction.ensembles import members_of

__all__ = ["ModelRequest", "export_model", "model_request"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Which checkpoints, what is known of them, and where to."""

    checkpoints: tuple[Path, ...]
    load_segmenter: Callable[[], Segmenter]
    facts: Mapping[str, Any]
    out: Path
    overwrite: bool


def model_request(
    project: Project,
    model: ModelRecord,
    load_segmenter: Callable[[], Segmenter],
    out: Path,
    *,
    overwrite: bool,
) -> ModelRequest:
    """Return the request to write ``model``, with the ensemble that it belongs to."""
    members = members_of(project, model)
    facts = {
        "name": f"{project.config.name} {model.id}",
        "model": model.id,
        "members": [member.id for member in members],
        "network": model.preset,
        "classes": [
            {"value": value, "name": name, "colour": colour}
            for value, (name, colour) in enumerate(
                zip(project.schema.names, project.schema.colours, strict=True)
            )
        ],
        "seed": model.seed,
        "round": model.round,
        "data_hash": model.data_hash,
        "validation": dict(model.metrics),
    }
    paths = tuple(project.models.path(member.id) for member in members)
    return ModelRequest(paths, load_segmenter, facts, out.resolve(), overwrite)


def export_model(request: ModelRequest, token: CancelToken, report: ProgressCallback) -> Path:
    """Write checkpoints, ONNX, facts and an example, and return where."""
    report(0, 1, "writing ONNX")
    segmenter = request.load_segmenter()
    token.check()
    write_model(
        request.out,
        checkpoints=request.checkpoints,
        write_onnx=segmenter.write_onnx,
        facts=request.facts,
        overwrite=request.overwrite,
    )
    return request.out
