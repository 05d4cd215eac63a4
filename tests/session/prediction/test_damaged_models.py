"""Weights that are not what the project recorded are refused, in words, before they predict."""

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from napari_active_seg.api import open_session
from napari_active_seg.errors import ModelError
from napari_active_seg.learning.checkpoints import save_checkpoint


@pytest.fixture
def trained(project_folder, pool):
    """A session with two real models of different data."""
    with_models = open_session(project_folder, device="cpu")
    for count in (2, 1):
        with_models.proposals.propose(count=count, size=24)
        with_models.labels.answer_from_masks(pool / "masks")
        with_models.train(preset="fast", epochs=1, accept_worse=True)
    yield with_models
    with_models.close()


def rewrite(path, change):
    with safetensors.safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, weights)
    safetensors.torch.save_file(weights, path, metadata=header)


def forget_hashes(session):
    """Make the models as those of an older version, of which no hash is known."""
    with session.project.database.transaction() as connection:
        connection.execute("UPDATE models SET weights_hash = ''")
    session.context.update(models=session.project.models.all())


def predict_anew(session):
    session.free_memory()
    session.project.predictions.clear()
    session.predict()


def test_a_file_of_another_model_does_not_predict(trained):
    first, second = trained.state.models
    models = trained.project.models
    models.path(second.id).write_bytes(models.path(first.id).read_bytes())
    with pytest.raises(ModelError, match=rf"is not model {second.id}: its data_hash"):
        predict_anew(trained)


def test_a_file_for_other_classes_does_not_predict(trained):
    path = trained.project.models.path(trained.state.models[-1].id)
    rewrite(path, lambda header, _: header.update(classes='["disk", "background"]'))
    forget_hashes(trained)
    with pytest.raises(ModelError, match="its classes differ"):
        predict_anew(trained)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_do_not_predict(trained, value):
    path = trained.project.models.path(trained.state.models[-1].id)

    def spoil(_header, weights):
        name = next(n for n, tensor in weights.items() if tensor.is_floating_point())
        weights[name].view(-1)[0] = value

    rewrite(path, spoil)
    forget_hashes(trained)
    with pytest.raises(ModelError, match="weights that are not numbers"):
        predict_anew(trained)


def test_weights_that_overflow_do_not_predict(trained):
    """Finite one by one, they still give NaN, and the export ended with a traceback."""
    path = trained.project.models.path(trained.state.models[-1].id)

    def inflate(_header, weights):
        for tensor in weights.values():
            if tensor.is_floating_point():
                tensor.fill_(3e38)

    rewrite(path, inflate)
    forget_hashes(trained)
    with pytest.raises(ModelError, match="probabilities that are not numbers"):
        predict_anew(trained)


def test_a_diverged_training_is_not_saved(tmp_path):
    network = torch.nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        network.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="training diverged"):
        save_checkpoint(
            tmp_path / "m001.safetensors", network, companions=torch.nn.Module(), preset="fast",
            classes=("a", "b"), facts={},
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_file_that_changed_since_the_training_does_not_predict(trained):
    """Its header is right, and one weight is another."""
    path = trained.project.models.path(trained.state.models[-1].id)

    def change(_header, weights):
        name = next(n for n, tensor in weights.items() if tensor.is_floating_point())
        weights[name].view(-1)[0] += 1

    rewrite(path, change)
    with pytest.raises(ModelError, match="has changed since model"):
        predict_anew(trained)


def test_maps_of_older_models_are_dropped_after_a_training(trained, pool):
    """Without it the cache grew with every model, for ever."""
    trained.predict()
    cache = trained.project.predictions
    first, second = trained.state.models
    assert cache.has(second.id, trained.state.image_ids[0])
    for _ in range(2):
        trained.proposals.propose(count=1, size=24)
        trained.labels.answer_from_masks(pool / "masks")
        trained.train(preset="fast", epochs=1, accept_worse=True)
    latest = trained.state.models[-1]
    trained.predict()
    folders = {path.name.partition("@")[0] for path in cache._folder.iterdir()}
    assert folders == {trained.state.models[-2].id, latest.id} & folders | {latest.id}
    assert not {first.id, second.id} & folders


@pytest.mark.parametrize("settings", [{}, {"init": "pretrained"}])
@pytest.mark.parametrize("content", [None, b"cut off"])
def test_a_lost_model_is_replaced_by_the_next_training(trained, content, settings):
    """Both ways to start: warm stopped at the file, fresh left the lost model in use."""
    lost = trained.state.model
    path = trained.project.models.path(lost.id)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    trained.free_memory()
    trained.train(preset="fast", epochs=1, settings=settings)
    found = trained.last_training
    assert trained.state.model.id == found.model.id == "m003"
    assert found.comparison is None and found.origin == "random weights"
    notes = " ".join(found.notes)
    assert f"{lost.id} cannot be loaded" in notes and path.name in notes
    predict_anew(trained)
    assert len(trained.state.predicted) == len(trained.state.image_ids)


def test_a_lost_model_is_not_put_in_use(trained):
    first, second = trained.state.models
    trained.project.models.path(first.id).unlink()
    with pytest.raises(ModelError, match=r"m001.safetensors is not there; put it back"):
        trained.use_model(first.id)
    assert trained.state.model.id == second.id


def test_an_ensemble_without_a_member_says_the_way_out(trained):
    trained.maintenance.configure(uncertainty_from="ensemble")
    trained.project.models.path("m001").unlink()
    with pytest.raises(
        ModelError, match=r"the file of m001 is not there.*set uncertainty_from to dropout"
    ):
        predict_anew(trained)
    trained.maintenance.configure(uncertainty_from="dropout")
    predict_anew(trained)
