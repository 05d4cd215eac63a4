import numpy as np
import pytest
from PIL import Image

from napari_active_seg.errors import ConfigError
from napari_active_seg.images.samples import (
    draw_dermoscopy,
    draw_histology,
    write_sample_set,
)


@pytest.mark.parametrize(
    ("draw", "shape", "least", "most"),
    [(draw_histology, (528, 784), 0.15, 0.7), (draw_dermoscopy, (384, 512), 0.03, 0.7)],
)
def test_sample_has_its_size_and_a_mask_that_fits_what_is_seen(draw, shape, least, most):
    picture = draw(1)
    assert picture.image.shape == (*shape, 3)
    assert picture.image.dtype == np.uint8
    assert picture.instances.shape == shape
    assert least < picture.mask.mean() < most
    inside = picture.image[picture.mask == 1].astype(float)
    outside = picture.image[picture.mask == 0].astype(float)
    assert np.abs(inside.mean(axis=0) - outside.mean(axis=0)).max() > 10


def test_samples_are_the_same_for_one_seed_and_differ_between_seeds():
    first, again, other = (draw_dermoscopy(s, (96, 128)) for s in (3, 3, 4))
    assert (first.image == again.image).all()
    assert (first.instances == again.instances).all()
    assert not (first.image == other.image).all()
    first, again, other = (draw_histology(s, (160, 200)) for s in (3, 3, 4))
    assert (first.image == again.image).all()
    assert not (first.image == other.image).all()


def test_glands_do_not_touch_and_a_lesion_is_one_piece():
    from scipy import ndimage

    glands = draw_histology(2, (264, 392)).instances
    pieces, _ = ndimage.label(glands > 0, structure=np.ones((3, 3)))
    for piece in range(1, pieces.max() + 1):
        assert len(np.unique(glands[pieces == piece])) == 1
    assert ndimage.label(draw_dermoscopy(2).mask)[1] == 1


def test_sample_set_is_written_as_images_and_masks(tmp_path):
    seen = []
    sample_set = write_sample_set(
        "dermoscopy", tmp_path, count=2, on_image=lambda *now: seen.append(now)
    )
    assert sample_set.classes == ("skin", "lesion")
    assert seen == [(1, 2), (2, 2)]
    names = sorted(p.name for p in (tmp_path / "images").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "masks").iterdir())
    mask = np.asarray(Image.open(tmp_path / "masks" / names[0]))
    assert set(np.unique(mask)) == {0, 255}
    with pytest.raises(ConfigError, match="did you mean 'histology'"):
        write_sample_set("histolgy", tmp_path, count=1)
