import itertools
import json
from collections import Counter
from contextlib import closing

import numpy as np
import pytest
from fakes import FakeSegmenter, FakeSegmenters
from PIL import Image
from tiny_data import write_pool

from napari_active_seg.acquisition import STRATEGIES, Budget, RegionKind
from napari_active_seg.errors import ConfigError, NothingToDoError
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import UNLABELLED, Effort, RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.training.control_regions import CONTROL_EVENT


@pytest.fixture
def large(tmp_path):
    """A session over ten pictures of which two are for validation, unlabelled."""
    pool = write_pool(tmp_path / "data", 10)
    opened = opened_project(tmp_path, pool, val_fraction=0.2)
    opened.masks = pool / "masks"
    yield opened
    opened.close()


def opened_project(tmp_path, pool, name="p", **settings):
    folder = create_project(
        tmp_path / name,
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(**settings),
    ).folder
    return Session(Project.open(folder), FakeSegmenters(), InlineRunner())


def propose(session, count=4, **more):
    """Propose and return the new regions."""
    session.proposals.propose(**{"count": count, "size": 24, **more})
    return [q for q in session.state.queue if q.round == session.state.round]


def label(session, masks=None):
    session.labels.answer_from_masks(masks or session.masks)


def train(session):
    session.train()
    return session.last_training


def lap(session, count=4, **more):
    new = propose(session, count, **more)
    label(session)
    train(session)
    return new


# --- every strategy ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_proposes_and_keeps_what_it_promised(large, name):
    lap(large, 8)
    taken = [q.place for q in large.state.queue]
    polygons = {"tolerance": 2.0, "threshold": 0.05} if "polygon" in name else {}
    new = propose(large, 3, strategy=name, **polygons)
    assert 1 <= len(new) <= 3
    assert all(q.reason and q.cost > 0 for q in new)
    overlap = STRATEGIES[name].overlap
    for one, other in itertools.combinations([q.place for q in new], 2):
        assert overlap or not one.overlaps(other)
    if not overlap:
        assert not any(q.place.overlaps(place) for q in new for place in taken)
    assert large.proposals.notes[0] or large.proposals.notes
    label(large)
    for queued in new:
        target = large.labels.latest(queued.id).target
        assert ((target != UNLABELLED) == queued.place.mask).all()


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_begins_without_a_model(large, name):
    new = propose(large, 2, strategy=name)
    assert 1 <= len(new) <= 2
    kinds = {q.kind for q in new}
    assert RegionKind.INITIAL in kinds and kinds <= {RegionKind.INITIAL, RegionKind.VALIDATION}
    assert all("no model" in q.reason for q in new if q.kind is RegionKind.INITIAL)


@pytest.mark.parametrize("name", ["clasp-regions", "power-regions", "core-set-regions", "auto"])
def test_same_seed_proposes_the_same_again(tmp_path, name):
    pool = write_pool(tmp_path / "data", 6)
    found = []
    for folder, seed in (("one", 3), ("two", 3), ("three", 4)):
        session = opened_project(tmp_path, pool, folder, val_fraction=0.0, seed=0)
        session.masks = pool / "masks"
        lap(session, 6)
        found.append([q.region for q in propose(session, 3, strategy=name, seed=seed)])
        session.close()
    assert found[0] == found[1]
    if name == "power-regions":
        assert found[0] != found[2]


@pytest.mark.parametrize("name", ["power-regions", "clasp-regions", "random-image-entropy-polygon"])
def test_chances_of_what_was_drawn_are_recorded(large, name):
    lap(large, 8)
    propose(large, 3, strategy=name, threshold=0.05, tolerance=2.0, control=0.0, validation=0.0)
    rows = large.project.database.rows("SELECT * FROM regions WHERE round = 2")
    assert all(0 < row["draw_probability"] <= 1 and row["drawn_from"] > 0 for row in rows)


def test_what_the_project_says_of_shares_and_limits_holds_for_any_strategy(large):
    lap(large, 8)
    large.maintenance.configure(per_image=1, control=0.0, validation=0.0)
    new = propose(large, 6)
    assert len({q.region.image_id for q in new}) == len(new) == 6
    with pytest.raises(ConfigError, match="did you mean 'core-set'"):
        large.maintenance.configure(diversity="coreset")
    large.maintenance.configure(per_image="strategy")
    assert large.project.config.acquisition.per_image is None


# --- spread over images --------------------------------------------------------------------------


def per_image(new):
    return Counter(q.region.image_id for q in new)


@pytest.fixture
def uneven(tmp_path):
    """A session over eight pictures of which one alone is uncertain."""
    pool = write_pool(tmp_path / "data", 8)
    for number in range(8):
        path = pool / "images" / f"img{number}.png"
        grey = np.asarray(Image.open(path).convert("L"))
        flat = np.where(np.asarray(grey) > 160, 250, 20) if number else np.full_like(grey, 132)
        Image.fromarray(np.repeat(flat[..., None], 3, axis=2).astype(np.uint8)).save(path)
    opened = opened_project(tmp_path, pool, val_fraction=0.0, mask_like="images")
    opened.project.configure(control=0.0)
    opened.masks = pool / "masks"
    yield opened
    opened.close()


def test_regions_of_a_round_are_spread_over_the_images_by_default(uneven):
    lap(uneven, 8)
    unlimited = propose(uneven, 8, per_image_share=0.0)
    assert max(per_image(unlimited).values()) > 4  # what one image would take
    label(uneven)
    new = propose(uneven, 8)
    assert len(new) == 8 and max(per_image(new).values()) == 2
    label(uneven)
    uneven.maintenance.configure(per_image_share=0.5)
    assert max(per_image(propose(uneven, 8)).values()) == 4


@pytest.mark.parametrize(
    "strategy",
    [
        "diverse-regions",
        "balanced-regions",
        "superpixels",
        "regions-per-minute",
    ],
)
def test_share_of_an_image_holds_for_other_units_and_orders(uneven, strategy):
    lap(uneven, 8)
    new = propose(uneven, 4, strategy=strategy)
    assert len(new) == len(per_image(new)) == 4


def test_share_of_an_image_holds_for_polygons_where_it_is_asked_for(large):
    lap(large, 8)
    parts = {"threshold": 0.05, "tolerance": 2.0, "control": 0.0, "validation": 0.0}
    new = propose(large, 6, strategy="entropy-polygons", per_image_share=0.2, **parts)
    assert len(new) == len(per_image(new)) == 6


def test_budget_in_pixels_is_spread_too(uneven):
    lap(uneven, 8)
    new = propose(uneven, None, budget=f"{8 * 24 * 24}px")
    assert len(new) == 8 and max(per_image(new).values()) == 2


def test_first_regions_and_random_ones_are_spread_over_the_images(tmp_path):
    pool = write_pool(tmp_path / "data", 8)
    session = opened_project(tmp_path, pool, val_fraction=0.0)
    for strategy, first in (
        ("uncertain-regions", "coverage"),
        ("uncertain-regions", "random"),
        ("random-regions", "random"),
    ):
        new = propose(session, 8, strategy=strategy, first=first)
        assert {q.kind for q in new} == {RegionKind.INITIAL}
        assert len(new) == 8 and max(per_image(new).values()) <= 2
    session.close()


def test_control_squares_are_spread_and_count_towards_their_image(tmp_path):
    pool = write_pool(tmp_path / "data", 8)
    session = opened_project(tmp_path, pool, val_fraction=0.0)
    session.masks = pool / "masks"
    lap(session, 8)
    new = propose(session, 8, control=0.5)
    controls = [q for q in new if q.kind is RegionKind.CONTROL]
    assert len(controls) == len(per_image(controls)) == 4
    assert max(per_image(new).values()) <= 2
    session.close()


def test_pool_of_two_images_still_fills_the_round(tmp_path):
    pool = write_pool(tmp_path / "data", 2)
    session = opened_project(tmp_path, pool, val_fraction=0.0)
    session.masks = pool / "masks"
    lap(session, 4)
    new = propose(session, 8, control=0.0)
    assert sorted(per_image(new).values()) == [4, 4]
    session.close()


# --- budgets and cost ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        ("2000px", lambda new: sum(q.place.pixels for q in new) <= 2000),
        ("0.2min", lambda new: sum(q.cost for q in new) <= 12),
        ("12clicks", lambda new: len(new) >= 1),
        (Budget(3), lambda new: len(new) == 3),
    ],
)
@pytest.mark.parametrize("strategy", ["uncertain-regions", "random-regions", "crops"])
def test_a_budget_is_kept_in_any_unit_and_told(large, budget, spent, strategy):
    lap(large, 8)
    new = propose(large, None, budget=budget, strategy=strategy)
    assert spent(new)
    assert any(note.startswith("to label:") for note in large.proposals.notes)


@pytest.mark.parametrize("has_model", [False, True])
@pytest.mark.parametrize("strategy", ["uncertain-regions", "covering-regions", "random-regions"])
def test_more_regions_than_there_is_room_for_lie_apart(large, strategy, has_model):
    if has_model:
        lap(large, 8)
    new = propose(large, 5000, strategy=strategy)
    assert any(f"{len(new)} of 5000 regions found room" in n for n in large.proposals.notes)
    pool = [q for q in new if q.kind is not RegionKind.VALIDATION]
    assert 8 * 96 * 128 / 24**2 >= len(pool) >= 40
    assert {q.kind for q in pool} > {RegionKind.CONTROL} or not has_model
    places = [q.place for q in large.state.queue if q.kind is not RegionKind.IMPORTED]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(places, 2))


def test_a_budget_that_buys_nothing_says_what_the_cheapest_takes(large):
    lap(large, 8)
    with pytest.raises(NothingToDoError, match="buys no region: the cheapest takes"):
        large.proposals.propose(budget="0.01min", size=24)


def test_an_empty_pool_says_so(tmp_path):
    pool = write_pool(tmp_path / "data", 2)
    table = tmp_path / "splits.csv"
    table.write_text("image,split\nimg0.png,validation\nimg1.png,validation\n")
    session = opened_project(tmp_path, pool, table=table)
    with pytest.raises(NothingToDoError, match="no image is in the pool"):
        session.proposals.propose(count=2, size=24)
    session.close()


@pytest.mark.parametrize("strategy", ["uncertain-regions", "random-regions"])
def test_windows_larger_than_every_image_are_refused(large, strategy):
    with pytest.raises(
        ConfigError, match="larger than every image of the pool, of at most 96 x 128"
    ):
        large.proposals.propose(size=500, strategy=strategy)


def finish_by_hand(session, seconds_of):
    """Answer what waits as a person would, with the seconds that it took."""
    for queued in session.state.open_regions:
        target = np.zeros(queued.region.shape, np.uint8)
        effort = Effort(active_s=seconds_of(queued), clicks=7)
        session.labels.save(queued.id, target, state=RegionState.DONE, effort=effort)


def test_cost_is_a_guess_then_learned_from_this_persons_seconds(large):
    lap(large, 8)
    propose(large, 3, strategy="regions-per-minute")
    assert any("are a guess: 0 of 10" in note for note in large.proposals.notes)
    propose(large, 12, strategy="random-regions")
    finish_by_hand(large, lambda q: 40.0)
    new = propose(large, 3, strategy="regions-per-minute")
    (told,) = (note for note in large.proposals.notes if "of your regions" in note)
    assert told.startswith("seconds learned from") and "by a regression, off by" in told
    chosen = [q for q in new if q.kind is RegionKind.CHOSEN]
    assert all("give or take" in q.reason for q in chosen)
    assert all(q.cost == pytest.approx(40, rel=0.2) and "guess" not in q.reason for q in chosen)
    large.maintenance.configure(annotator="somebody else")
    propose(large, 3, strategy="regions-per-minute")
    assert any("are a guess: 0 of 10" in note for note in large.proposals.notes)


def test_clicks_are_learned_where_the_budget_is_in_clicks(large):
    lap(large, 8)
    propose(large, 12, strategy="random-regions")
    finish_by_hand(large, lambda q: 40.0)
    new = propose(large, None, budget="22clicks", strategy="regions-per-minute")
    assert len(new) == 3
    assert any(note.startswith("clicks learned from") for note in large.proposals.notes)


def test_network_learns_from_the_first_regions_where_asked(large):
    lap(large, 8)
    propose(large, 4, strategy="random-regions")
    finish_by_hand(large, lambda q: 25.0)
    propose(large, 2, cost="network", beta=1.0)
    assert any("by a network" in note for note in large.proposals.notes)


def test_pace_is_learned_in_the_background_after_every_few_regions(tmp_path):
    pool = write_pool(tmp_path / "data", 6)
    folder = create_project(
        tmp_path / "p",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    session = Session(Project.open(folder), FakeSegmenters(), InlineRunner(), follows_screen=True)
    propose(session, 6)
    finish_by_hand(session, lambda q: 30.0)
    assert session.state.pace == ""  # nobody asked to weigh it
    session.maintenance.configure(cost="learned")
    propose(session, 6)
    finish_by_hand(session, lambda q: 30.0)
    session.wait()
    assert "of your regions by a regression" in session.state.pace
    assert session.proposals.learned_cost.how == "regression"
    session.close()


# --- control, validation, test ------------------------------------------------------------------


def test_validation_squares_are_drawn_on_images_set_aside_and_never_learned_from(large):
    new = propose(large, 8)
    (square,) = [q for q in new if q.kind is RegionKind.VALIDATION]
    assert large.project.images.get_split(square.region.image_id) is Split.VALIDATION
    label(large)
    found = train(large)
    assert found.n_regions == 7 and found.report is not None
    assert large.proposals.plan().validation.have == 1


def test_audit_squares_are_drawn_where_images_are_set_aside_for_it(tmp_path):
    pool = write_pool(tmp_path / "data", 10)
    session = opened_project(tmp_path, pool, val_fraction=0.2, test_fraction=0.2)
    kinds = [q.kind for q in propose(session, 6)]
    assert kinds.count(RegionKind.TEST) == kinds.count(RegionKind.VALIDATION) == 1
    assert kinds.count(RegionKind.INITIAL) == 4
    session.close()


def test_nothing_is_drawn_where_validation_is_labelled_already(session):
    assert {q.kind for q in propose(session, 6)} == {RegionKind.INITIAL}
    assert not session.proposals.plan().validation.possible


def test_control_squares_add_up_over_rounds_and_are_uniform_draws(large):
    lap(large, 4)
    controls = []
    for _ in range(6):
        new = propose(large, 4, validation=0.0)
        controls += [q for q in new if q.kind is RegionKind.CONTROL]
        label(large)
    assert len(controls) == 2  # a tenth of 24
    rows = large.project.database.rows("SELECT * FROM regions WHERE kind = 'control'")
    assert all(row["draw_probability"] == pytest.approx(1 / row["drawn_from"]) for row in rows)
    assert all("control" in q.reason and q.cost > 0 for q in controls)


def test_the_model_in_use_is_measured_on_a_control_before_it_is_learned_from_and_never_after(
    large, monkeypatch
):
    lap(large, 8)
    propose(large, 8, control=0.5, validation=0.0)
    label(large)
    controls = {q.id for q in large.state.queue if q.kind is RegionKind.CONTROL}
    assert len(controls) == 4
    order = []
    for name in ("predict", "train"):
        plain = getattr(FakeSegmenter, name)
        monkeypatch.setattr(
            FakeSegmenter,
            name,
            lambda self, *a, _name=name, _plain=plain, **k: (
                order.append((_name, self.threshold)) or _plain(self, *a, **k)
            ),
        )
    before = large.state.model
    train(large)
    scores = large.project.events.named(CONTROL_EVENT)
    assert {event.subject for event in scores} == controls
    assert {event.facts["model"] for event in scores} == {before.id}
    for event in scores:
        (image,) = event.facts["report"]["images"]
        assert np.sum(image["confusion"]) == event.facts["pixels"] == 24 * 24
    trained_at = [name for name, _ in order].index("train")
    assert [name for name, _ in order[:trained_at]] == ["predict"] * 4
    train(large)
    assert len(large.project.events.named(CONTROL_EVENT)) == 4
    assert large.proposals.plan().control.have == 4
    json.dumps([event.facts for event in scores])


def test_a_control_that_was_learned_from_without_a_model_to_measure_never_counts(large):
    lap(large, 8)
    propose(large, 8, control=0.5, validation=0.0)
    label(large)
    large.maintenance.add_class("third")  # the model in use answers in other classes now
    train(large)
    assert {e.facts["model"] for e in large.project.events.named(CONTROL_EVENT)} == {None}
    train(large)
    assert len(large.project.events.named(CONTROL_EVENT)) == 4


# --- the guide -----------------------------------------------------------------------------------


def test_guide_tells_why_and_auto_follows_it(large):
    with pytest.raises(NothingToDoError, match="train first"):
        large.proposals.recommend()
    lap(large, 8)
    advice = large.proposals.recommend(size=16)
    assert 0 <= advice.redundancy <= 1 and advice.n_places > 20
    assert advice.likeness is None and "neighbours" not in advice.summary  # ten images are too few
    new = propose(large, 3, strategy="auto", size=16)
    assert large.proposals.notes[0].startswith("The pool is")
    assert new[0].round == 2


def write_tinted(folder, tints):
    """Write a picture for each tint, named in their order."""
    pool = write_pool(folder, len(tints))
    for number, tint in enumerate(tints):
        path = pool / "images" / f"img{number}.png"
        Image.fromarray((np.asarray(Image.open(path)) * tint).astype(np.uint8)).save(path)
    return pool


def test_guide_tells_copies_of_images_by_their_names(tmp_path):
    tints = np.random.default_rng(0).uniform(0.3, 1.0, (25, 3))
    pools = {
        "plain": write_tinted(tmp_path / "plain", tints),
        "copied": write_tinted(tmp_path / "copied", tints.repeat(5, axis=0)[:25]),
    }
    advice = {}
    for name, pool in pools.items():
        with closing(opened_project(tmp_path, pool, name=f"p-{name}", val_fraction=0)) as opened:
            opened.masks = pool / "masks"
            lap(opened, 4)
            advice[name] = opened.proposals.recommend(size=24)
    assert advice["plain"].likeness < 0.2 < 0.5 < advice["copied"].likeness
    assert advice["copied"].strategy == "diverse-regions"
    assert "neighbours by name" in advice["copied"].summary


def test_guide_needs_places_to_compare(large):
    lap(large, 8)
    with pytest.raises(NothingToDoError, match="smaller regions"):
        large.proposals.recommend(size=96)


# --- shapes --------------------------------------------------------------------------------------


def test_paint_outside_a_polygon_is_not_kept(large):
    lap(large, 8)
    new = propose(large, 3, strategy="entropy-polygons", tolerance=2.0, threshold=0.2)
    shaped = next(q for q in new if q.shape is not None)
    large.labels.save(shaped.id, np.ones(shaped.region.shape, np.uint8))
    kept = large.labels.latest(shaped.id)
    assert ((kept.target == 1) == shaped.shape.mask).all()
    assert kept.labelled_pixels == shaped.place.pixels


def test_shapes_outlive_the_program(large):
    lap(large, 8)
    new = propose(large, 2, strategy="superpixels")
    folder = large.project.folder
    again = Project.open(folder, read_only=True)
    assert {q.place for q in again.regions.queue()} >= {q.place for q in new}
    again.close()


def test_reasons_tell_likeness_once_there_is_something_to_be_like(large):
    lap(large, 8)
    new = propose(large, 3)
    assert all("labelled ones lie apart" in q.reason for q in new if q.kind is RegionKind.CHOSEN)
