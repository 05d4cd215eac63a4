"""The loop on a picture that is too large for one piece, which tests make small."""

import csv

import numpy as np
import pytest
from fakes import FakeSegmenter, FakeSegmenters
from PIL import Image
from tiny_data import disk_picture

from napari_active_seg.errors import BadInputError
from napari_active_seg.images import map_step, open_image, picture_at_step, source
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.project import Project
from napari_active_seg.regions import Region
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.prediction.slides import slide_map
from napari_active_seg.session.state import Content
from napari_active_seg.uncertainty import get_measure

SHAPE = (300, 590)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    monkeypatch.setattr(source, "_WHOLE_UP_TO", 40_000)
    monkeypatch.setattr(source, "_MOST_MAPPED", 12_000)


@pytest.fixture
def slides(tmp_path):
    """Three slides of which one is for validation, and a picture that goes whole."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number, shape in enumerate((SHAPE, SHAPE, SHAPE, (96, 128))):
        image, mask = disk_picture(number, shape)
        if shape == SHAPE:
            image[:, 540:] = 250  # bare glass
            mask[:, 540:] = 0
        Image.fromarray(image).save(tmp_path / "images" / f"s{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"s{number}.png")
    return tmp_path


@pytest.fixture
def session(slides):
    folder = create_project(
        slides / "p",
        images_dir=slides / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.3),
    ).folder
    opened = Session(Project.open(folder), FakeSegmenters(), InlineRunner(), follows_screen=True)
    opened.masks = slides / "masks"
    opened.maintenance.configure(samples=3)
    yield opened
    opened.close()


def lap(session, count=8, **more):
    session.proposals.propose(count=count, size=32, **more)
    session.labels.answer_from_masks(session.masks)
    session.train()


def slide_id(session):
    return next(i for i in session.state.image_ids if i != "s3.png")


def test_maps_keep_the_pixel_in_the_middle_of_each_square(slides):
    opened = open_image(slides / "images" / "s0.png")
    step = map_step(opened.shape)
    assert step == 4
    told = FakeSegmenter("fast", ("a", "b"))
    moments, said = slide_map(
        opened,
        "s0.png",
        told,
        InferenceOptions(uncertainty_from="single", samples=1),
        lambda: None,
        lambda *_: None,
    )
    assert said == step and moments.shape == (SHAPE[0] // 4, SHAPE[1] // 4)
    pixels = opened.read(0, 0, 0, *SHAPE)
    dark = 1.0 - pixels.mean(axis=2) / 255.0
    expected = dark[2::4, 2::4][: moments.shape[0], : moments.shape[1]] > 0.5
    found = moments.mean_p.argmax(axis=0) == 1
    assert (found == expected).mean() > 0.98 and expected.any()
    np.testing.assert_allclose(moments.mean_p.sum(axis=0), 1, rtol=1e-5)
    assert (moments.votes.sum(axis=0) == moments.n).all()


def test_squares_of_glass_are_not_asked_about(tmp_path, monkeypatch):
    from napari_active_seg.session.prediction import slides as module

    monkeypatch.setattr(module, "_SIDE", 128)
    image = np.full((512, 1024, 3), 250, np.uint8)
    image[:, :256] = disk_picture(0, (512, 256))[0]
    Image.fromarray(image).save(tmp_path / "g.png")
    asked = []

    class Counting(FakeSegmenter):
        def predict(self, image, **how):
            asked.append(image.shape)
            return super().predict(image, **how)

    told = Counting("fast", ("a", "b"))
    opened = open_image(tmp_path / "g.png")
    slide_map(
        opened,
        "g",
        told,
        InferenceOptions(uncertainty_from="single", samples=1),
        lambda: None,
        lambda *_: None,
    )
    assert 4 * 2 <= len(asked) <= 4 * 3 + 1


def test_picture_at_a_step_lies_where_the_slide_does(slides):
    opened = open_image(slides / "images" / "s0.png")
    small = picture_at_step(opened, 4)
    assert small.shape == (SHAPE[0] // 4, SHAPE[1] // 4, 3)
    middle = opened.read(0, 0, 0, *SHAPE)[2::4, 2::4][: small.shape[0], : small.shape[1]]
    assert np.abs(small.astype(int) - middle).mean() < 12


def test_a_lap_over_slides_and_pictures_with_everything_that_asks_the_model(session):
    lap(session)
    assert session.state.model is not None
    session.predict()
    assert session.state.predicted == frozenset(session.state.image_ids)
    prediction = session.prediction(slide_id(session))
    assert prediction.step == 4 and prediction.region.shape == SHAPE
    again = Project.open(session.project.folder, read_only=True)
    key = prediction.model_id
    kept = again.predictions.load(key, slide_id(session))
    assert kept.step == 4 and kept.region == prediction.region
    np.testing.assert_array_equal(kept.moments.mean_p, prediction.moments.mean_p)
    session.proposals.propose(count=4, size=32)
    new = [q for q in session.state.queue if q.round == session.state.round]
    assert any("where it is least sure" in q.reason for q in new)
    for queued in new:
        assert queued.region.shape == (32, 32)


def test_strategies_and_costs_take_slides(session):
    lap(session)
    for strategy in (
        "auto",
        "diverse-regions",
        "clasp-regions",
        "batch-bald-regions",
        "covering-regions",
        "foreground-regions",
        "entropy-polygons",
        "superpixels",
        "crops",
        "faithful-regions",
    ):
        before = len(session.state.queue)
        session.proposals.propose(count=2, size=32, strategy=strategy, threshold=0.2)
        assert len(session.state.queue) > before, strategy
    for cost in ("boundary", "clicks", "learned"):
        session.proposals.propose(count=2, size=32, cost=cost, beta=0.5)
        costs = [q.cost for q in session.state.queue if q.round == session.state.round]
        assert costs and all(c > 0 for c in costs), cost


def test_a_model_is_measured_calibrated_and_compared_on_labelled_parts_of_slides(session):
    for _ in range(3):
        lap(session, count=12)
    found = session.evaluate()
    report = found
    assert len(set(report.image_ids)) == len(report.image_ids)
    assert report.confusion.n_pixels < SHAPE[0] * SHAPE[1]
    assert report.scores_by_image[report.image_ids[0]] > 0.9
    session.trust.compare_models()
    session.trust.review()


def test_a_region_in_hand_is_asked_about_pixel_by_pixel(session):
    lap(session)
    session.proposals.propose(count=6, size=32)
    far = [q for q in session.state.open_regions if q.region.image_id != "s3.png"]
    queued = next(q for q in far if session.predictions.near(q.region) is None)
    changed = []
    session.content_changed.connect(changed.append)
    session.select_region(queued.id)
    session.wait()
    assert Content.PREDICTIONS in changed
    near = session.predictions.near(queued.region)
    assert near.step == 1 and near.region.overlaps(queued.region)
    assert near.crop_moments(queued.region).shape == queued.region.shape
    assert near.region.area < SHAPE[0] * SHAPE[1]
    assert near.crop_classes(queued.region).shape == (32, 32)
    on_screen = session.predictions.on_screen()
    assert on_screen[0] is near
    session.predict([queued.region.image_id])
    assert [p.step for p in session.predictions.on_screen()] == [1, 4]
    y, x = session.navigation.to_most_uncertain()
    values = get_measure(session.state.measure).compute(
        session.prediction(queued.region.image_id).moments
    )
    assert 0 <= y < SHAPE[0] and 0 <= x < SHAPE[1]
    assert values[y // 4, x // 4] > np.median(values)


def test_a_slide_is_not_read_in_one_piece(session):
    with pytest.raises(BadInputError, match=r"s0.png is 300 x 590 pixels, too large"):
        session.read_image("s0.png")
    assert session.read_image("s0.png", step=4).shape == (75, 147, 3)


def test_without_a_prediction_it_is_said_why(session):
    session.proposals.propose(count=2, size=32)
    assert session.predictions.near(session.state.region.region) is None
    assert "train a model first" in session.predictions.why_none


def test_few_parts_of_slides_stay_on_the_disk(session, monkeypatch):
    from napari_active_seg.project import prediction_cache

    monkeypatch.setattr(prediction_cache, "_PARTS", 3)
    lap(session)
    session.proposals.propose(count=8, size=32)
    for queued in session.state.open_regions:
        session.select_region(queued.id)
        session.wait()
    parts = list(session.project.folder.rglob("*-part-*.maps"))
    assert 1 <= len(parts) <= 3


def test_maps_of_slides_in_a_folder_say_in_their_names_that_they_are_coarser(session, slides):
    lap(session)
    out = slides / "out"
    done = session.predictions.predict_folder(slides / "images", out)
    names = sorted(p.name for p in (out / "masks").glob("*"))
    assert "s3.png" in names
    assert all(".every-" in name for name in names if name != "s3.png") and len(names) > 1
    with (out / "images.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    coarse = [row for row in rows.values() if int(row["pixels_per_map_pixel"]) > 1]
    assert len(coarse) == len(names) - 1 and done.images == len(rows)
    for row in coarse:
        areas = sum(int(value) for key, value in row.items() if key.endswith(" px"))
        assert 0.9 < areas / (int(row["height"]) * int(row["width"])) <= 1


def test_a_report_shows_slides_as_their_maps(session, tmp_path):
    from napari_active_seg.session.report import write_project_report

    lap(session)
    session.predict()
    write_project_report(session, tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size > 20_000


def test_nothing_left_to_say_of_a_part_outside():
    from napari_active_seg.uncertainty import MomentStream, Prediction

    stream = MomentStream()
    stream.add(np.full((2, 5, 6), 0.5))
    told = Prediction(Region("a", 10, 20, 20, 24), stream.moments(), "m", 4)
    assert told.kept_at(9, 20) is None and told.kept_at(29, 43) == (4, 5)
    assert told.crop_classes(Region("a", 10, 20, 20, 24)).shape == (20, 24)
    assert told.crop_moments(Region("a", 13, 21, 2, 9)).shape == (2, 3)


def test_labels_of_a_slide_are_exported_by_windows_or_as_tiles(session, tmp_path, monkeypatch):
    import tifffile

    from napari_active_seg.errors import BadInputError
    from napari_active_seg.export import dataset
    from napari_active_seg.session.export import ExportChoice

    lap(session)
    expected = {
        ref.id: session.labels.so_far(ref.id)
        for ref in session.project.images.all()
        if session.project.labels.done([ref.id])
    }
    monkeypatch.setattr(dataset, "_WHOLE_UP_TO", 100_000)  # a slide is more than that

    def export(name, out, **choice):
        return session.export(name, out, choice=ExportChoice(**choice))

    export("tiff", tmp_path / "tiff")
    for image_id, target in expected.items():
        path = next((tmp_path / "tiff").rglob(f"labels/*/{image_id[:-4]}.ome.tif"))
        assert (tifffile.imread(path) == target).all()
    with pytest.raises(BadInputError, match="--as tiles"):
        export("coco", tmp_path / "coco")
    tiles = export("coco", tmp_path / "coco", cut="tiles", tile=64)
    assert tiles.pieces >= 8 and (tmp_path / "coco" / "README.md").is_file()
