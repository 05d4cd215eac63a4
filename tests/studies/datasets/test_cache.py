import numpy as np
import pytest
from PIL import Image

from napari_active_seg.errors import BadInputError, ConfigError, ImageError
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.studies.datasets import DataSet, Fit, PreparedData, Sample, prepare
from napari_active_seg.studies.datasets.redundancy import copied_pool

RNG = np.random.default_rng(1)


def sample(name, shape=(20, 31), **more):
    image = RNG.integers(0, 255, (*shape, 3), np.uint8)
    truth = np.zeros(shape, np.uint8)
    truth[5:15, 8:20] = 1
    return Sample(name, lambda: image, lambda: truth, lambda: 300 * truth.astype(np.int32), **more)


def data(count=2):
    return DataSet(
        ("background", "gland"),
        {"train": tuple(sample(f"a{k}", group="p") for k in range(count)), "test": (sample("t"),)},
        ("A note.",),
    )


def quiet(*_):
    pass


def test_pictures_truth_and_objects_are_as_they_were(tmp_path):
    given = data()
    found = prepare(given, Fit(), tmp_path / "data", on_image=quiet)
    assert [image.id for image in found.part("train")] == ["a0.png", "a1.png"]
    assert found.notes == ("A note.",) and found.part("train")[0].group == "p"
    first = given.parts["train"][0]
    written = np.asarray(Image.open(found.images_dir("train") / "a0.png"))
    assert np.array_equal(written, first.image())
    region = Region("a0.png", 4, 7, 6, 9)
    truth = found.truth("train")
    assert np.array_equal(truth.read_target(region), first.truth()[4:10, 7:16])
    assert np.array_equal(truth.objects(region), first.objects()[4:10, 7:16])
    (test,) = found.labelled_images("test")
    assert np.array_equal(test.target(), given.parts["test"][0].truth())


def test_padding_is_not_known(tmp_path):
    found = prepare(data(), Fit(pad=(24, 40)), tmp_path / "data", on_image=quiet)
    image = found.part("train")[0]
    assert image.shape == (24, 40) and image.known == 20 * 31
    target = found.truth("train").read_target(Region.whole(image.id, image.shape))
    assert (target == UNLABELLED).sum() == 24 * 40 - 20 * 31
    assert np.array_equal(target[2:22, 4:35], data().parts["train"][0].truth())


def test_a_shrunk_picture_is_the_mean_and_truth_the_middle():
    given = sample("a", (20, 30))
    fit = Fit(shrink=2)
    small = fit.image(given.image())
    assert small.shape == (10, 15, 3)
    blocks = given.image().reshape(10, 2, 15, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 1  # each axis is rounded
    assert np.array_equal(fit.truth(given.truth()), given.truth()[1::2, 1::2])
    exact = Fit(size=(384, 512), bilinear=True)
    assert exact.image(given.image()).shape == (384, 512, 3)
    with pytest.raises(ConfigError, match="shrink"):
        Fit(shrink=0.5)


def test_what_is_there_is_not_written_again_and_what_is_half_there_is(tmp_path):
    folder = tmp_path / "data"
    prepare(data(), Fit(), folder, on_image=quiet)
    facts = (folder / "data.json").read_bytes()
    told = []
    prepare(data(), Fit(), folder, on_image=lambda *now: told.append(now))
    assert told == []
    (folder / "data.json").unlink()  # a try that was killed before its end
    prepare(data(), Fit(), folder, on_image=lambda *now: told.append(now))
    assert len(told) == 3 and (folder / "data.json").read_bytes() == facts
    with pytest.raises(BadInputError, match="another size"):
        prepare(data(), Fit(shrink=2), folder, on_image=quiet)
    with pytest.raises(BadInputError, match="no prepared data"):
        PreparedData.open(tmp_path)


def test_parts_must_hold_something(tmp_path):
    empty = DataSet(("a", "b"), {"train": (sample("a"),), "test": ()})
    with pytest.raises(ImageError, match="'test'"):
        prepare(empty, Fit(), tmp_path / "data", on_image=quiet)
    with pytest.raises(ImageError, match="no image"):
        DataSet(("a", "b"), {"train": ()})


def test_unlike_shapes_are_refused(tmp_path):
    odd = Sample("a", lambda: np.zeros((4, 5, 3), np.uint8), lambda: np.zeros((4, 6), np.uint8))
    with pytest.raises(ImageError, match="4 x 6"):
        prepare(DataSet(("a", "b"), {"train": (odd,)}), Fit(), tmp_path / "d", on_image=quiet)


def test_a_pool_of_copies_has_as_many_images_of_fewer_scenes():
    samples = tuple(sample(f"a{k}") for k in range(12))
    pool = copied_pool(samples, copies=3, seed=0)
    assert len(pool) == 12 and len({s.id.split("_copy")[0] for s in pool}) == 3
    copy = next(s for s in pool if "_copy" in s.id)
    assert copy.truth().shape == copy.objects().shape == (20, 31)
    assert np.array_equal(copy.truth() > 0, copy.objects() > 0)
