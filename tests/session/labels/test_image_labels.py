import numpy as np
import pytest
from tiny_data import write_pool
from tiny_project import add_regions, create

from napari_active_seg.regions import Effort, Region, RegionState
from napari_active_seg.session.labels.image_labels import ImageLabels
from napari_active_seg.session.labels.whole_images import compose_target


@pytest.fixture
def project(tmp_path):
    write_pool(tmp_path / "pool", 4)
    with create(tmp_path / "made", tmp_path / "pool") as project:
        yield project


def save(project, places, objects=True):
    """Save overlapping regions at random and return them with the uids of their saves."""
    rng, found = np.random.default_rng(0), []
    for place in places:
        region_id = add_regions(project, [("img0.png", *place)])[0]
        target = rng.choice([0, 1, 255], (16, 16)).astype(np.uint8)
        ids = np.where(target == 1, rng.integers(1, 4, target.shape), 0).astype(np.int32)
        uid = project.labels.save(
            region_id, target, state=RegionState.DONE, annotator="Anna", effort=Effort(),
            objects=ids if objects else None,
        )  # fmt: skip
        found.append((project.regions.get(region_id).region, uid))
    return found


PLACES = [(0, 0), (8, 8), (40, 33), (12, 4)]


def test_windows_together_are_the_whole(project):
    labels = ImageLabels(project, save(project, PLACES))
    whole = compose_target((96, 128), project.labels.done(["img0.png"]))
    assert (labels.target(Region.whole("img0.png", (96, 128))) == whole).all()
    for y in range(0, 96, 32):
        for x in range(0, 128, 32):
            window = Region("img0.png", y, x, 32, 32)
            assert (labels.target(window) == whole[window.slices]).all()


def test_no_two_labels_share_an_object(project):
    saves = save(project, PLACES)
    labels = ImageLabels(project, saves)
    whole = labels.objects(Region.whole("img0.png", (96, 128)))
    target = labels.target(Region.whole("img0.png", (96, 128)))
    assert ((whole > 0) == (target == 1)).all()
    apart = [set(np.unique(whole[region.slices])) - {0} for region, _ in (saves[0], saves[2])]
    assert apart[0].isdisjoint(apart[1])


def test_objects_are_none_where_one_label_tells_none_apart(project):
    saves = save(project, PLACES[:2]) + save(project, PLACES[2:], objects=False)
    assert ImageLabels(project, saves).objects(Region("img0.png", 0, 0, 4, 4)) is None
