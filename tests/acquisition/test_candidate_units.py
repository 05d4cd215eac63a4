import itertools

import numpy as np
import pytest
from pools import FLAT, best, image, rng, search, two_classes
from skimage.draw import disk

from napari_active_seg.acquisition import (
    Aggregate,
    ClassMaps,
    CostModel,
    gather,
    get_cost,
    simplify_outlines,
)
from napari_active_seg.acquisition.candidate_units import polygons
from napari_active_seg.acquisition.window_sums import window_axis, window_sums
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import (
    MaskedRegion,
    Region,
    RegionShape,
    fill_outside_shape,
    make_mask,
)


def blobs(shape=(80, 100)):
    values = np.zeros(shape, np.float32)
    values[10:30, 10:40] = 0.9
    values[50:75, 60:95] = 0.8
    return values


def test_whole_images_are_ranked_by_the_sum_and_left_out_once_anything_is_taken():
    small, large = image(np.full((20, 20), 0.9), "small"), image(np.full((40, 40), 0.5), "large")
    begun = image(np.ones((60, 60)), "begun", taken=(Region("begun", 0, 0, 5, 5),))
    found, scores = best([small, large, begun], 5, unit="images", aggregate="sum")
    assert [region.image_id for region in found] == ["large", "small"]
    np.testing.assert_allclose(scores, [800, 360], rtol=1e-6)
    by_mean, _ = best([small, large], 5, unit="images", aggregate="mean")
    assert [region.image_id for region in by_mean] == ["small", "large"]


def test_polygons_are_the_uncertain_areas_with_the_area_above_the_threshold_as_score():
    values = blobs()
    pool = [image(values, bound=1.0)]
    asked = search(unit="polygons", aggregate=Aggregate("count", 0.6), tolerance=2.0, most=9)
    found = gather(pool, asked, rng())
    assert [c.information for c in found] == [25 * 35, 20 * 30]
    assert found[0].region.image_id == "a"
    covered = make_mask(values.shape, [c.place for c in found])
    assert (covered == (values > 0.6)).mean() > 0.99
    assert all(4 <= c.clicks <= 8 for c in found)


def test_a_polygon_stays_within_the_tolerance_of_the_outline_it_stands_for():
    mask = np.zeros((120, 120), bool)
    mask[disk((60, 60), 45)] = True
    for tolerance in (1.0, 4.0, 10.0):
        ((ring, drawn),) = polygons(mask.astype(float), 0.5, tolerance)
        away = np.abs(np.hypot(*(np.argwhere(drawn ^ mask) - 60).T) - 45)
        assert away.max() <= tolerance + 1.5
        assert len(ring) >= 3
    fine, coarse = (len(polygons(mask.astype(float), 0.5, t)[0][0]) for t in (1.0, 10.0))
    assert fine >= 2 * coarse


def test_holes_of_a_polygon_are_filled_and_specks_are_left_out():
    values = np.zeros((60, 60))
    values[10:40, 10:40] = 1
    values[20:30, 20:30] = 0
    values[50:53, 50:53] = 1
    ((_, mask),) = polygons(values, 0.5, 1.0)
    assert mask[25, 25] and not mask[51, 51]


@pytest.mark.parametrize("unit", ["polygons", "superpixels", "crops"])
def test_places_of_one_image_share_no_pixel_with_each_other_or_with_what_is_taken(unit):
    values = blobs((96, 128))
    pixels = np.repeat((values * 200).astype(np.uint8)[..., None], 3, axis=2)
    taken = MaskedRegion.of_mask("a", np.tri(40, dtype=bool))
    pool = [image(values, taken=(taken, Region("a", 60, 60, 10, 30)), read=lambda: pixels)]
    found = gather(pool, search(unit=unit, size=24, tolerance=3.0), rng())
    assert found
    for one, other in itertools.combinations([c.place for c in found], 2):
        assert not one.overlaps(other)
    free = ~pool[0].taken_mask
    for candidate in found:
        region = candidate.region
        assert free[region.slices][candidate.place.mask].all()
        assert candidate.place.pixels == candidate.place.mask.sum()


def test_superpixels_follow_colour_and_are_about_as_large_as_asked():
    pixels = np.full((96, 128, 3), 230, np.uint8)
    pixels[:, 64:] = (120, 40, 150)
    pool = [image(np.ones((96, 128)), read=lambda: pixels)]
    found = gather(pool, search(unit="superpixels", size=24), rng())
    assert sum(c.place.pixels for c in found) == 96 * 128
    assert np.median([c.place.pixels for c in found]) == pytest.approx(24**2, rel=0.5)
    for candidate in found:
        colours = pixels[candidate.region.slices][candidate.place.mask][:, 0]
        share = (colours > 200).mean()
        assert share < 0.15 or share > 0.85


def test_superpixels_without_pixels_are_refused():
    with pytest.raises(BadInputError, match="cannot be read"):
        gather([image(np.ones((50, 50)))], search(unit="superpixels"), rng())


def test_crops_cover_an_image_once_in_parts_of_about_the_size():
    found = gather([image(np.ones((100, 61)))], search(unit="crops", size=30), rng())
    cover = np.zeros((100, 61), int)
    for candidate in found:
        cover[candidate.region.slices] += 1
    assert (cover == 1).all() and len(found) == 6


def test_units_obey_the_tissue():
    tissue = np.zeros((100, 100), bool)
    tissue[:, :50] = True
    for unit in ("crops", "superpixels"):
        pixels = np.full((100, 100, 3), 200, np.uint8)
        pool = [image(np.ones((100, 100)), tissue=tissue, read=lambda p=pixels: p)]
        for candidate in gather(pool, search(unit=unit, size=25), rng()):
            inside = tissue[candidate.region.slices][candidate.place.mask]
            assert inside.mean() >= 0.25


def test_a_known_cost_counts_pixels_boundary_clicks_and_classes():
    classes = np.zeros((60, 60), np.uint8)
    classes[20:40, 20:40] = 1
    maps, whole = ClassMaps(lambda: classes), MaskedRegion(Region("a", 0, 0, 60, 60))
    assert CostModel("area", 2.0, 0.5).of(whole, maps) == 2 + 0.5 * 3600
    boundary = CostModel("boundary", 1.0, 0.0, per_boundary=1.0)
    assert boundary.of(whole, maps) == 1 + 4 * 20
    assert boundary.of(MaskedRegion(Region("a", 0, 0, 15, 15)), maps) == 1
    clicks = CostModel("clicks", 1.0, 0.0, per_click=1.0)
    corners = sum(len(ring) for ring in simplify_outlines(classes == 1, 3.0))
    assert clicks.of(whole, maps) == 1 + corners
    assert 4 <= corners <= 5
    by_class = CostModel("classes", 1.0, 0.0, per_class=(2.0, 5.0))
    assert by_class.of(whole, maps) == 8
    assert by_class.of(MaskedRegion(Region("a", 0, 0, 15, 15)), maps) == 3


@pytest.mark.parametrize("name", ["boundary", "clicks", "classes"])
def test_the_cost_of_all_windows_is_that_of_each(name):
    classes = (np.random.default_rng(4).random((40, 50)) > 0.7).astype(np.uint8)
    maps, cost = ClassMaps(lambda: classes), get_cost(name)
    rows, columns = window_axis(40, 12, 3), window_axis(50, 12, 3)
    together = cost.of_windows(maps, 144, lambda m: window_sums(m, rows, columns))
    for i, y in enumerate(rows.starts):
        for j, x in enumerate(columns.starts):
            one = cost.of(MaskedRegion(Region("a", int(y), int(x), 12, 12)), maps)
            assert together[i, j] == pytest.approx(one)


def test_a_window_with_less_boundary_wins_where_cost_counts():
    classes = np.zeros((40, 80), np.uint8)
    classes[::2, :40] = 1
    pool = [image(np.full((40, 80), 0.5), mean_probs=two_classes(classes))]
    cost = CostModel("boundary", 1.0, 0.0, per_boundary=1.0)
    (region,), _ = best(pool, 1, size=40, stride=40, cost=cost, beta=1.0)
    assert region.x == 40
    sides = {best(pool, 1, seed=s, size=40, stride=40, cost=cost)[0][0].x for s in range(20)}
    assert sides == {0, 40}


def test_candidates_tell_what_is_predicted_there_and_its_share_of_the_uncertainty():
    classes = np.zeros((32, 64), np.uint8)
    classes[:, 32:] = 1
    pool = [image(np.full((32, 64), 0.5), mean_probs=two_classes(classes))]
    found = gather(pool, search(size=32, stride=32, needs_classes=True), rng())
    by_place = {c.region.x: c for c in found}
    np.testing.assert_allclose(by_place[32].probs, [0.1, 0.9], atol=1e-6)
    np.testing.assert_allclose(by_place[32].class_values, [0.05, 0.45], atol=1e-6)


def test_a_shape_is_a_part_of_its_rectangle_and_outlives_the_disk():
    mask = np.tri(9, 11, dtype=bool)
    shape = RegionShape.of(mask)
    assert (shape.mask == mask).all() and shape == RegionShape.of(mask)
    place = MaskedRegion(Region("a", 3, 4, 9, 11), shape)
    assert place.pixels == mask.sum()
    with pytest.raises(BadInputError, match="does not fit"):
        MaskedRegion(Region("a", 0, 0, 5, 5), shape)
    with pytest.raises(BadInputError, match="pixel"):
        RegionShape.of(np.zeros((3, 3), bool))
    target = np.zeros((9, 11), np.uint8)
    kept = fill_outside_shape(target, shape)
    assert (kept[mask] == 0).all() and (kept[~mask] == 255).all()
    upper = MaskedRegion.of_mask("a", ~np.tri(9, 11, 0, dtype=bool), 3, 4)
    assert upper.region.overlaps(place.region) and not upper.overlaps(place)
    assert FLAT.of(place, ClassMaps(lambda: np.zeros((20, 20), np.uint8))) == 1.0
