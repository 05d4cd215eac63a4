"""Calibrate a model that is too sure of itself, and draw its reliability before and after.

    python examples/calibrated.py [OUT.png]

The bars are what the plain model says; the line is the same model calibrated.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_active_seg import create_project, open_session
from napari_active_seg.figures import draw_reliability, figure_png
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.session.create_project import ImageSettings


def main(out: Path) -> None:
    """Train on little, calibrate, draw."""
    with TemporaryDirectory() as name:
        data = Path(name) / "data"
        sample = write_sample_set("dermoscopy", data, count=8)
        create_project(
            Path(name) / "project",
            images_dir=data / "images",
            masks_dir=data / "masks",
            classes=sample.classes,
            settings=ImageSettings(val_fraction=0.5),
        )
        session = open_session(Path(name) / "project")
        session.proposals.propose(count=6, size=48, validation=0.0)
        session.labels.answer_from_masks(data / "masks")
        session.train(preset="fast", epochs=200)
        session.trust.calibrate(use="best")
        record, model = session.trust.calibration(), session.state.model
        if record is None or model is None:
            raise SystemExit("nothing was calibrated")
        for method in record.calibrations:
            print(record.describe_change(method))
        report = session.trust.evaluation(model.id)
        if report is not None:
            shown = record.shown("temperature") or ""
            drawn = draw_reliability(report.bins, calibrated=record.bins.get(shown), title=shown)
            out.write_bytes(figure_png(drawn))
            print(f"wrote {out}")
        session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "calibrated.png"))
