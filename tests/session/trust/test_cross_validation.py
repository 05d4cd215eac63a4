"""Cross-validation over the finished regions: exact, without leaks, kept, and honest."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeSegmenter, FakeSegmenters
from PIL import Image
from scipy.stats import norm, t
from tiny_data import write_pool

from napari_active_seg.errors import NothingToDoError, StoppedError
from napari_active_seg.jobs import CancelToken, InlineRunner
from napari_active_seg.models.segmenter import ImageOutputs
from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, Effort, RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.trust.cross_validate import (
    MOST_FOLDS,
    cross_validate,
    read_cross_validation_inputs,
    split_into_folds,
)
from napari_active_seg.session.trust.store import CROSS_VALIDATED
from napari_active_seg.uncertainty import MomentStream


def task_context(session, report=lambda *a, **k: None):
    return TaskContext(session.project, session.context.models, CancelToken(), report)


def predict_known(image, threshold):
    """Return the class of each pixel by a rule that is wrong here and there, as images differ."""
    dark = 1.0 - image.mean(axis=2) / 255.0
    wrong = image[..., 0] % (3 + int(image.mean()) % 5) == 0
    return (dark > threshold) ^ wrong


class KnownSegmenter(FakeSegmenter):
    """Predicts by a rule without noise, and remembers what it predicted."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.predicted = []

    def predict(self, image, *, plan, check_cancelled):
        check_cancelled()
        self.predicted.append(image)
        found = predict_known(image, self.threshold)
        stream = MomentStream()
        stream.add(np.where(np.stack([~found, found]), 0.8, 0.2))
        return ImageOutputs(stream.moments())


class KnownSegmenters(FakeSegmenters):
    """Makes them, and remembers all that were built from initial weights."""

    def __init__(self):
        super().__init__()
        self.built, self.options = [], []

    def build(self, preset, *, classes, seed, weights="pretrained"):
        built = KnownSegmenter(preset, classes)
        built.trained = self.trained
        self.built.append(built)
        self.options.append((preset, seed, weights))
        return built


def open_project(folder, runner=None):
    return Session(Project.open(folder), KnownSegmenters(), runner or InlineRunner())


def make_session(tmp_path, n_images, *, n_regions, group_pattern=None):
    """Return a session with finished regions and a model, and nothing set aside."""
    pool = write_pool(tmp_path / "data", n_images)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0, group_pattern=group_pattern),
    ).folder
    session = open_project(folder)
    session.masks = pool / "masks"
    label(session, n_regions)
    session.train(epochs=2)
    return session


def label(session, count, **more):
    asked = {"count": count, "size": 24, "control": 0.0, "validation": 0.0, **more}
    session.proposals.propose(**asked)
    session.labels.answer_from_masks(session.masks)


def estimate(session):
    return session.trust.cross_validate()


@pytest.fixture
def session(tmp_path):
    """Seven images, twelve finished regions, one model, nothing set aside."""
    opened = make_session(tmp_path, 7, n_regions=12)
    yield opened
    opened.close()


def labels_by_image(session):
    found = {}
    for queued in session.state.done_in_pool:
        label = session.project.labels.latest(queued.id)
        found.setdefault(queued.region.image_id, []).append(label)
    return found


def pixels_of(session, region):
    whole = np.array(Image.open(session.masks.parent / "images" / region.image_id))
    return whole[region.y : region.bottom, region.x : region.right]


def by_hand(session, folds):
    """Return the Dice of each class by image, from a training and a prediction by slow loops."""
    labels = labels_by_image(session)
    scores, right = {}, []
    for fold in folds:
        dark = {0: [], 1: []}
        for image_id, own in labels.items():
            for one in own if image_id not in fold else ():
                pixels = 1 - pixels_of(session, one.region).mean(axis=2) / 255.0
                for k, values in dark.items():
                    values.extend(pixels[one.target == k])
        threshold = (np.mean(dark[0]) + np.mean(dark[1])) / 2
        for image_id in fold:
            whole = np.array(Image.open(session.masks.parent / "images" / image_id))
            predicted = predict_known(whole, threshold)
            a, b = [], []
            for one in labels[image_id]:
                y, x = one.region.y, one.region.x
                for row in range(one.region.height):
                    for column in range(one.region.width):
                        if one.target[row, column] != UNLABELLED:
                            a.append(int(predicted[y + row, x + column]))
                            b.append(int(one.target[row, column]))
            a, b = np.array(a), np.array(b)
            right += [*(a == b)]
            scores[image_id] = [
                2 * ((a == k) & (b == k)).sum() / max(((a == k).sum() + (b == k).sum()), 1)
                for k in (0, 1)
                if ((a == k) | (b == k)).any()
            ]
    return scores, np.array(right)


def test_scores_and_interval_are_those_of_an_independent_computation(session):
    result = estimate(session)
    scores, right = by_hand(session, [fold.image_ids for fold in result.folds])
    assert len(scores) == result.n_images == len(labels_by_image(session)) > 4
    means = np.array([np.mean(scores[i]) for i in sorted(scores)])
    found = result.estimates["image_mean_dice"]
    assert 0.3 < found.value < 1
    assert found.value == pytest.approx(means.mean())
    n = len(means)
    times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), 1000)
    tail = norm.sf(np.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
    limits = np.quantile((times * means).sum(axis=1) / n, (tail, 1 - tail))
    assert (found.low, found.high) == pytest.approx(tuple(limits))
    both = [s for s in scores.values() if len(s) == 2]
    if len(both) == n:
        assert result.estimates["image_dice/disk"].value == pytest.approx(np.mean(both, axis=0)[1])
    assert result.estimates["accuracy"].value == pytest.approx(right.mean())
    assert result.estimates["ece"].value == pytest.approx(abs(right.mean() - 0.8))
    assert result.n_regions == 12
    assert result.n_folds == MOST_FOLDS


def test_each_model_is_new_and_has_seen_no_pixel_of_the_images_that_it_predicts(session):
    factory = session.context.networks
    before = len(factory.built)
    result = estimate(session)
    built = factory.built[before:]
    assert len(built) == result.n_folds == MOST_FOLDS
    labels = labels_by_image(session)
    for fold, segmenter in zip(result.folds, built, strict=True):
        assert segmenter.threshold != 0.5  # it has learned
        seen = sum((example.target != UNLABELLED).sum() for example in segmenter.seen)
        expected = [o for i, own in labels.items() if i not in fold.image_ids for o in own]
        assert seen == sum(one.labelled_pixels for one in expected)
        assert fold.n_training_regions == len(expected)
        held_out = [
            np.array(Image.open(session.masks.parent / "images" / i)) for i in fold.image_ids
        ]
        for example in segmenter.seen:
            assert not any(is_part(example.image, image) for image in held_out)
        assert len(segmenter.predicted) == len(fold.image_ids)
        for image in segmenter.predicted:
            assert any(np.array_equal(image, known) for known in held_out)
        assert segmenter.kept is None  # nothing of it is written
    placed = [i for fold in result.folds for i in fold.image_ids]
    assert sorted(placed) == sorted(labels)


def is_part(piece, image):
    height, width = piece.shape[:2]
    return any(
        np.array_equal(piece, image[y : y + height, x : x + width])
        for y in range(image.shape[0] - height + 1)
        for x in range(image.shape[1] - width + 1)
    )


def test_options_are_those_of_the_model_in_use_and_never_its_weights(session):
    factory = session.context.networks
    session.maintenance.configure(init="scratch", loss="dice")
    before, loaded = len(factory.built), []
    factory.load = lambda *args, **kwargs: loaded.append(args)
    result = estimate(session)
    assert not loaded
    assert set(factory.options[before:]) == {("fast", 0, "random")}
    assert {s.plan.loss for s in factory.built[before:]} == {"dice"}
    assert {s.plan.shorter for s in factory.built[before:]} == {1}
    assert result.preset == "fast" and result.model_id == "m001"
    model = session.state.model
    assert result.data_hash == model.data_hash


def test_patients_are_not_divided_between_folds(tmp_path):
    """The first four of eight images are of one patient: the interval is over five of them."""
    session = make_session(tmp_path, 8, n_regions=16, group_pattern="(img)[0-3]")
    result = estimate(session)
    of_patient = {f"img{k}.png" for k in range(4)} & set(result.report.image_ids)
    assert len(of_patient) > 1 and result.groups == dict.fromkeys(of_patient, "img")
    assert sum(bool(of_patient & set(fold.image_ids)) for fold in result.folds) == 1
    alone = replace(result, groups={})
    assert alone.estimates["image_mean_dice"] != result.estimates["image_mean_dice"]
    session.close()


def test_the_same_seed_gives_the_same_answer_and_another_one_other_folds(session):
    first, second = estimate(session), estimate(session)
    assert first.folds == second.folds
    assert first.estimates == second.estimates
    inputs = read_cross_validation_inputs(task_context(session), session.state.model)

    def images(folds):
        return {frozenset(r.label.region.image_id for r in fold) for fold in folds}

    splits = [images(split_into_folds(replace(inputs, seed=seed))) for seed in range(6)]
    assert any(split != splits[0] for split in splits)


def test_validation_images_end_trainings_and_are_neither_learned_from_nor_counted(tmp_path):
    pool = write_pool(tmp_path / "more", 8)
    folder = create_project(
        tmp_path / "q",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.25),
    ).folder
    session = open_project(folder)
    session.masks = pool / "masks"
    label(session, 10)
    session.train()
    factory = session.context.networks
    before = len(factory.built)
    result = estimate(session)
    assert not set(result.report.image_ids) & session.state.validation_ids
    aside = [np.array(Image.open(pool / "images" / i)) for i in session.state.validation_ids]
    for segmenter in factory.built[before:]:
        assert not any(is_part(e.image, image) for e in segmenter.seen for image in aside)
        assert len(segmenter.data.held_out) == len(aside)
    session.close()


def test_what_was_estimated_is_kept_and_read_again(session):
    result = estimate(session)
    folder = session.project.folder
    session.close()
    again = open_project(folder)
    kept = again.trust.cross_validation()
    for name in ("model_id", "preset", "seed", "data_hash", "class_uids", "folds", "n_random",
                 "n_chosen", "saves", "notes"):  # fmt: skip
        assert getattr(kept, name) == getattr(result, name), name
    assert kept.estimates == result.estimates
    assert kept.random_estimates == result.random_estimates
    assert kept.n_images == result.n_images and kept.n_regions == result.n_regions
    again.maintenance.add_class("third")
    assert again.trust.cross_validation() is None  # it was of other classes
    again.close()


def score_line(session):
    return next(line for line in session.trust.summary() if line.key == "score").answer


def test_it_is_outdated_once_regions_were_finished_or_changed_since(session):
    estimate(session)
    assert "Outdated" not in score_line(session)
    label(session, 2)
    assert "Outdated: 2 regions were finished or changed since" in score_line(session)
    estimate(session)
    assert "m001 learned from other labels" in score_line(session)
    session.train(accept_worse=True)
    assert "Outdated" not in score_line(session)
    changed = session.state.done_in_pool[0]
    target = 1 - session.project.labels.latest(changed.id).target
    session.project.labels.save(
        changed.id, target, state=RegionState.DONE, annotator="Ben", effort=Effort()
    )
    assert "Outdated: 1 region was finished or changed since" in score_line(session)


def test_a_stop_leaves_nothing(session):
    before = sorted(p.name for p in session.project.folder.rglob("*") if p.suffix != ".sqlite")
    models = session.state.models
    factory, build = session.context.networks, session.context.networks.build
    built = len(factory.built)

    def stop_at_the_second(*args, **more):
        made = build(*args, **more)
        if len(factory.built) == built + 2:
            session.cancel()
        return made

    factory.build = stop_at_the_second
    with pytest.raises(StoppedError):
        session.trust.cross_validate()
    assert len(factory.built) == built + 2
    assert session.trust.cross_validation() is None
    assert session.project.events.named(CROSS_VALIDATED) == ()
    assert session.state.models == models
    after = sorted(p.name for p in session.project.folder.rglob("*") if p.suffix != ".sqlite")
    assert after == before


def test_progress_names_the_fold_and_never_goes_back(session):
    told = []

    def report(done, total, text=""):
        told.append((done, total, text))

    cross_validate(task_context(session, report), session.state.model)
    assert {total for _, total, _ in told} == {100 * MOST_FOLDS}
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][0] == 100 * MOST_FOLDS
    texts = [text for _, _, text in told]
    assert "fold 2 of 5: epoch 1 of 1, loss 1.000" in texts and "fold 5 of 5: predicting" in texts


def test_one_image_says_what_is_needed(tmp_path):
    session = make_session(tmp_path, 1, n_regions=4)
    with pytest.raises(NothingToDoError, match="finish a region on another image"):
        session.trust.cross_validate()
    lines = {line.key: line for line in session.trust.summary()}
    assert lines["score"].answer == "Not measured yet"
    assert "finish a region on another image" in lines["next"].answer
    session.close()


def test_without_a_model_it_is_refused(tmp_path):
    pool = write_pool(tmp_path / "data", 3)
    folder = create_project(
        tmp_path / "p", images_dir=pool / "images", classes=("background", "disk")
    ).folder
    session = open_project(folder)
    with pytest.raises(NothingToDoError, match="no model yet"):
        session.trust.cross_validate()
    assert "train a first model" in session.trust.summary()[-1].answer
    session.close()


def test_images_that_cannot_be_read_are_left_out_and_noted(session):
    gone = next(iter(labels_by_image(session)))
    (session.masks.parent / "images" / gone).write_bytes(b"no picture")
    folder = session.project.folder
    session.close()
    again = open_project(folder)
    result = estimate(again)
    assert gone not in result.report.image_ids
    assert result.notes == ("left out, since the image cannot be read: " + gone,)
    again.close()


def test_control_regions_count_as_random_and_chosen_ones_as_difficult(session):
    label(session, 6, strategy="uncertain-regions")
    label(session, 6, strategy="random-regions")
    label(session, 6, control=0.5)
    result = estimate(session)
    kinds = [q.kind for q in session.state.done_in_pool]
    assert result.n_random >= kinds.count("control") + kinds.count("drawn")
    assert result.n_chosen == kinds.count("chosen") > 0
    assert result.random.confusion.n_pixels == result.n_random * 24 * 24
    assert result.report.confusion.n_pixels == len(kinds) * 24 * 24
    assert "were chosen as difficult: elsewhere the model may be better" in score_line(session)


def test_it_is_offered_until_there_is_a_score(tmp_path):
    session = make_session(tmp_path, 5, n_regions=3)
    images = {q.region.image_id for q in session.state.done_in_pool}
    assert session.trust.should_offer_cross_validation == (len(images) >= 4)
    label(session, 8)
    assert session.trust.should_offer_cross_validation
    estimate(session)
    assert not session.trust.should_offer_cross_validation
    session.close()


@pytest.mark.slow
def test_a_real_network_is_estimated_as_it_does_on_further_images(tmp_path):
    """The estimate of the network ``fast`` on drawn disks holds for images that it never saw."""
    from functools import partial

    from tiny_data import disk_picture

    from napari_active_seg.api import open_session
    from napari_active_seg.images import open_image
    from napari_active_seg.metrics import estimate_over_images
    from napari_active_seg.session.labels.whole_images import LabelledImage

    pool, more = write_pool(tmp_path / "data", 6), write_pool(tmp_path / "more", 8, first=50)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    session = open_session(folder, device="cpu")
    session.masks = pool / "masks"
    session.maintenance.configure(samples=4, steps=40)
    label(session, 12, size=32)
    session.train()
    first, second = estimate(session), estimate(session)
    assert first.estimates == second.estimates  # every training has its seed
    found = first.estimates["image_mean_dice"]
    further = [
        LabelledImage(
            f"img{seed}.png",
            partial(open_image, more / "images" / f"img{seed}.png"),
            lambda seed=seed: disk_picture(seed)[1],
        )
        for seed in range(50, 58)
    ]
    report = session.evaluate(further)
    there = estimate_over_images(report)["image_mean_dice"]
    assert there.value > 0.8
    assert abs(found.value - there.value) < 0.1
    session.close()
