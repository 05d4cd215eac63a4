"""Sample sets as folders of images and masks, for the demo, the docs and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.images.samples.dermoscopy import draw_dermoscopy
from napari_active_seg.images.samples.histology import draw_histology
from napari_active_seg.images.samples.picture import SamplePicture

__all__ = ["SAMPLE_SETS", "SampleSet", "write_sample_set"]


@dataclass(frozen=True, slots=True)
class SampleSet:
    """A drawn data set: its classes, and how one picture of it is drawn."""

    name: str
    title: str
    classes: tuple[str, str]
    draw: Callable[[int], SamplePicture]


SAMPLE_SETS: dict[str, SampleSet] = {
    s.name: s
    for s in (
        SampleSet("histology", "H&E glands (drawn)", ("background", "gland"), draw_histology),
        SampleSet("dermoscopy", "Skin lesions (drawn)", ("skin", "lesion"), draw_dermoscopy),
    )
}


def write_sample_set(
    name: str,
    folder: Path,
    *,
    count: int,
    first_seed: int = 0,
    on_image: Callable[[int, int], None] | None = None,
) -> SampleSet:
    """Write ``count`` pictures to ``folder``/images and their masks to ``folder``/masks.

    Masks are PNG with 0 for background and 255 for the object, under the image's name.
    """
    if name not in SAMPLE_SETS:
        raise ConfigError(f"no sample set {name!r}: {did_you_mean(name, SAMPLE_SETS)}")
    sample_set = SAMPLE_SETS[name]
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    for seed in range(first_seed, first_seed + count):
        picture = sample_set.draw(seed)
        Image.fromarray(picture.image).save(images / f"{name}_{seed:03d}.png")
        Image.fromarray(picture.mask * 255).save(masks / f"{name}_{seed:03d}.png")
        if on_image is not None:
            on_image(seed - first_seed + 1, count)
    return sample_set
