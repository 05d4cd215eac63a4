"""How a project's settings reach its models, and what comes back besides the moments."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiny_data import disk_picture

from napari_active_seg.api import open_session
from napari_active_seg.errors import ConfigError, ModelError, NothingToDoError
from napari_active_seg.learning import presets
from napari_active_seg.learning.networks import DCAN, registry
from napari_active_seg.learning.networks.registry import BuiltNetwork
from napari_active_seg.metrics.instances import InstanceRules
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.uncertainty import get_measure


def taught(session, pool, count=4):
    session.proposals.propose(count=count, size=32)
    session.labels.answer_from_masks(pool / "masks")
    session.train()


@pytest.fixture
def real(project_folder):
    with_torch = open_session(project_folder, device="cpu")
    yield with_torch
    with_torch.close()


def test_settings_make_the_plan(session):
    session.maintenance.configure(
        uncertainty_from="views", samples=6, temperature=1.5, precision="bfloat16", ensemble_size=4
    )
    plan = inference_options(session.project, measure="equal-al")
    assert (plan.uncertainty_from, plan.samples, plan.temperature) == ("views", 6, 1.5)
    assert (plan.precision, plan.extras) == ("bfloat16", ("mirrored",))
    assert inference_options(session.project, samples=3).samples == 3
    for wrong in ({"uncertainty_from": "dropuot"}, {"temperature": 0}, {"precision": "float8"}):
        with pytest.raises(ConfigError):
            session.maintenance.configure(**wrong)


def test_another_way_of_sampling_or_temperature_needs_another_prediction(session, pool):
    taught(session, pool)
    session.predict()
    everything = set(session.state.image_ids)
    assert session.state.predicted == everything
    session.maintenance.configure(temperature=2.0)
    assert not session.state.predicted
    session.predict()
    assert session.state.predicted == everything
    session.maintenance.configure(uncertainty_from="single")
    assert not session.state.predicted
    session.maintenance.configure(uncertainty_from="dropout", temperature=1.0)
    assert session.state.predicted == everything  # those of before are still there


def test_measure_that_needs_more_is_predicted_for_and_others_stay_as_they_are(session, pool):
    taught(session, pool)
    session.predict()
    image_id = session.state.image_ids[0]
    before = session.uncertainty(image_id)
    session.set_measure("equal-al")
    assert not session.state.predicted
    session.proposals.propose(count=2, size=32)
    pooled = set(session.state.image_ids) - session.state.validation_ids
    assert session.state.predicted == pooled
    shown = session.uncertainty(next(iter(pooled)))
    moments = session.prediction(next(iter(pooled))).moments
    assert (shown == get_measure("equal-al").compute(moments)).all()
    session.set_measure("entropy")
    assert session.state.predicted == set(session.state.image_ids)
    assert before.shape == session.uncertainty(image_id).shape


def test_real_network_mirrors_views_and_cools_down(real, pool):
    taught(real, pool)
    image_id = real.state.image_ids[0]
    maps = {}
    for name, settings in {
        "plain": {"uncertainty_from": "single"},
        "views": {"uncertainty_from": "views"},
        "cool": {"uncertainty_from": "single", "temperature": 5.0},
    }.items():
        real.maintenance.configure(**{"temperature": 1.0, **settings})
        real.predict()
        prediction = real.prediction(image_id)
        maps[name] = get_measure("entropy").compute(prediction.moments)
        assert prediction.moments.n == (8 if name == "views" else 1)
    assert maps["cool"].mean() > 2 * maps["plain"].mean()
    assert (maps["views"] != maps["plain"]).any()


def test_ensemble_of_the_last_models(real, pool):
    taught(real, pool)
    real.maintenance.configure(uncertainty_from="ensemble", ensemble_size=2)
    with pytest.raises(NothingToDoError, match="needs two models"):
        real.predict()
    real.maintenance.configure(uncertainty_from="dropout")
    for _ in range(2):
        taught(real, pool, count=2)
    real.maintenance.configure(uncertainty_from="ensemble")
    real.predict()
    image_id = real.state.image_ids[0]
    together = real.prediction(image_id)
    assert together.moments.n == 2
    assert together.model_id == "m003@with-m002"
    single = []
    real.maintenance.configure(uncertainty_from="single")
    for model in ("m002", "m003"):
        real.use_model(model)
        real.predict()
        single.append(real.prediction(image_id).mean_probs)
    np.testing.assert_allclose(together.mean_probs, np.mean(single, axis=0), atol=2e-4)


def test_learned_loss_is_trained_when_it_is_the_measure(real, pool):
    taught(real, pool)
    real.set_measure("learned-loss")
    with pytest.raises(ModelError, match="train again"):
        real.predict()
    real.train(accept_worse=True)  # whether it is better is not the question here
    real.predict()
    found = real.uncertainty(real.state.image_ids[0])
    assert np.isfinite(found).all()
    real.proposals.propose(count=2, size=32)


def test_random_measure_is_a_baseline_like_any_other(real, pool):
    taught(real, pool)
    real.set_measure("random")
    real.proposals.propose(count=2, size=32)
    newest = [q for q in real.state.queue if q.round == real.state.round]
    assert len(newest) == 2


# --- objects -------------------------------------------------------------------------------------


def numbered_pool(folder):
    """Pictures with masks that number their disks."""
    from scipy import ndimage

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for seed in range(4):
        image, mask = disk_picture(seed)
        ids, _ = ndimage.label(mask)
        Image.fromarray(image).save(folder / "images" / f"img{seed}.png")
        Image.fromarray((ids * 3).astype(np.uint8)).save(folder / "masks" / f"img{seed}.png")
    return folder


@pytest.fixture
def small_dcan(monkeypatch):
    def build(variant, n_classes, weights):
        del variant, weights
        return BuiltNetwork(DCAN(n_classes, width=1 / 8), "random weights")

    monkeypatch.setitem(registry._BUILDERS, "dcan", build)
    preset = replace(presets.PRESETS["dcan"], n_steps=50, crop=64, batch=4, learning_rate=5e-3)
    monkeypatch.setitem(presets.PRESETS, "dcan", preset)


def test_ids_of_objects_are_kept_and_become_outlines_rules_and_objects(tmp_path, small_dcan):
    pool = numbered_pool(tmp_path / "data")
    created = create_project(
        tmp_path / "project",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.25),
    )
    session = open_session(created.folder, device="cpu")
    try:
        session.proposals.propose(count=4, size=64)
        session.labels.answer_from_masks(pool / "masks")
        labels = session.project.labels.done(session.state.image_ids)
        assert all(label.objects is not None for label in labels)
        assert any(set(np.unique(label.objects)) & {3, 6} for label in labels)
        for label in labels:
            assert ((label.objects > 0) == (label.target == 1)).all()
        session.train(preset="dcan")
        model = session.state.model
        rules = InstanceRules.from_figures(model.metrics)
        assert rules is not None
        assert 0 <= model.metrics["object_f1"] <= 1
        session.predictions.predict_folder(pool / "images", tmp_path / "out")
        objects = tifffile.imread(tmp_path / "out" / "objects" / "img0.tif")
        assert objects.shape == (96, 128)
        report = session.evaluate()
        assert report.figures()["object_f1"] == pytest.approx(model.metrics["object_f1"])
    finally:
        session.close()


def test_repainting_lets_go_of_ids_and_going_back_brings_them_again(tmp_path):
    pool = numbered_pool(tmp_path / "data")
    created = create_project(
        tmp_path / "p", images_dir=pool / "images", classes=("background", "disk")
    )
    session = open_session(created.folder, device="cpu")
    try:
        session.proposals.propose(count=1, size=64)
        session.labels.answer_from_masks(pool / "masks")
        region_id = session.state.queue[0].id
        first = session.project.labels.latest(region_id)
        assert first.objects is not None
        session.labels.save(region_id, first.target)
        assert session.project.labels.latest(region_id).objects is None
        uid = session.labels.history(region_id)[0].uid
        session.labels.restore(region_id, uid)
        again = session.project.labels.latest(region_id).objects
        assert (again == first.objects).all()
    finally:
        session.close()
