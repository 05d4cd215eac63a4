"""Make a project out of a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.images import ImageRef, Problem, ScanResult, scan_folder
from napari_active_seg.project import Project, Split, assign_splits, refuse_taken_folder
from napari_active_seg.regions import Effort, LabelSchema, Region, RegionState
from napari_active_seg.session.oracle import MaskOracle

__all__ = ["CreatedProject", "create_project"]


@dataclass(frozen=True, slots=True)
class CreatedProject:
    """A new project and what was noticed while it was made."""

    folder: Path
    images: int
    validation_images: int
    validation_labelled: int
    masks_left: int  #: masks of pool images, for ``label`` to take over
    problems: tuple[Problem, ...]


def create_project(
    folder: Path,
    *,
    images_dir: Path,
    classes: Sequence[str],
    masks_dir: Path | None = None,
    val_fraction: float = 0.2,
    seed: int = 0,
    on_file: Callable[[int, int], None] | None = None,
) -> CreatedProject:
    """Make a project in ``folder`` from the images below ``images_dir``.

    With ``masks_dir`` the validation images are labelled at once, so that every model is
    measured from the first on; masks of pool images wait until they are asked for, since the
    pool is what a person, or a simulated annotator, is to label. All input is checked before
    anything is written.
    """
    schema = LabelSchema.from_names(classes)
    refuse_taken_folder(folder)
    scan = scan_folder(images_dir, on_file=on_file)
    splits = assign_splits(
        (image.id for image in scan.images), val_fraction=val_fraction, seed=seed
    )
    oracle = None
    if masks_dir is not None:
        oracle = MaskOracle.from_folder(masks_dir, _refs(scan), n_classes=len(schema))
    project = Project.create(
        folder,
        schema=schema,
        images=scan.images,
        splits=splits,
        images_dir=images_dir,
        masks_dir=masks_dir,
        seed=seed,
    )
    with project:
        labelled = 0 if oracle is None else _label_validation(project, oracle)
        validation = len(project.images.all(Split.VALIDATION))
    known = set() if oracle is None else set(oracle.image_ids)
    left = sum(1 for image_id in known if splits[image_id].split is Split.POOL)
    return CreatedProject(
        project.folder, len(scan.images), validation, labelled, left, scan.problems
    )


def _refs(scan: ScanResult) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(image.id, "", image.shape, None, "") for image in scan.images)


def _label_validation(project: Project, oracle: MaskOracle) -> int:
    known = set(oracle.image_ids)
    refs = [ref for ref in project.images.all(Split.VALIDATION) if ref.id in known]
    for ref in refs:
        region_id = project.regions.add_whole_image(Region.whole(ref.id, ref.shape))
        project.labels.save(
            region_id,
            oracle.whole(ref.id),
            state=RegionState.DONE,
            annotator="masks",
            effort=Effort(),
        )
    return len(refs)
