"""Write a model for other programs."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg.export import write_model
from napari_active_seg.project import ModelRecord
from napari_active_seg.session.model_access.ensembles import members_of
from napari_active_seg.session.task_context import TaskContext

__all__ = ["export_model"]


def export_model(task: TaskContext, model: ModelRecord, out: Path, *, overwrite: bool) -> Path:
    """Write a model, with the ensemble that it belongs to, and return the folder.

    Its checkpoints, ONNX, facts and an example.
    """
    project, out = task.project, out.resolve()
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
    task.report(0, 1, "writing ONNX")
    segmenter = task.models.load_ensemble(model)
    task.check_cancelled()
    write_model(
        out,
        checkpoints=tuple(project.models.path(member.id) for member in members),
        write_onnx=segmenter.write_onnx,
        facts=facts,
        overwrite=overwrite,
    )
    return out
