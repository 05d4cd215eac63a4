import numpy as np
import pytest

from napari_active_seg.acquisition import region_embedding
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import Region


@pytest.mark.parametrize(("shape", "stride"), [((64, 96), 16), ((37, 53), 32), ((530, 301), 16)])
def test_region_embedding_is_the_mean_over_the_cells_that_it_touches(shape, stride):
    cells = tuple(-(-length // stride) for length in shape)
    coarse = np.random.default_rng(0).random((5, *cells)).astype(np.float32)
    rng = np.random.default_rng(1)
    for _ in range(20):
        y, x = (int(rng.integers(0, length - 8)) for length in shape)
        region = Region("a", y, x, 8, 8)
        fine = coarse.repeat(stride, axis=1).repeat(stride, axis=2)[:, : shape[0], : shape[1]]
        touched = {
            tuple(cell) for cell in fine[:, *region.slices].reshape(5, -1).T.round(7).tolist()
        }
        expected = np.mean(sorted(touched), axis=0)
        np.testing.assert_allclose(region_embedding(coarse, shape, region), expected, atol=1e-5)
    whole = region_embedding(coarse, shape, Region.whole("a", shape))
    np.testing.assert_allclose(whole, coarse.mean(axis=(1, 2)), atol=1e-6)


def test_region_outside_its_image_is_refused():
    with pytest.raises(BadInputError, match="outside its image"):
        region_embedding(np.zeros((2, 4, 4)), (64, 64), Region("a", 60, 0, 8, 8))
