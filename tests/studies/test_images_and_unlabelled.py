"""CIFAR's studies: residual networks, strong changes, images without labels, who asks how."""

import json

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from tiny_mnist import silent, write_mnist
from torch import nn

from napari_active_seg.errors import ConfigError, ModelError
from napari_active_seg.learning import TorchImageNetworks
from napari_active_seg.learning.classification import build_classifier
from napari_active_seg.learning.classification.augmentation import augment_strongly
from napari_active_seg.models.image_classifier import ImageTraining
from napari_active_seg.studies.classification import (
    ClassificationArm,
    finished_rounds,
    run_classification,
)
from napari_active_seg.studies.classification.learners import NetworkLearner
from napari_active_seg.studies.classification.mnist import read_mnist
from napari_active_seg.studies.classification.report import write_classification
from napari_active_seg.studies.papers import Scale, image_study
from napari_active_seg.uncertainty import get_measure

QUICK = {"decay": 0.0, "batch": 16, "optimiser": "sgd", "schedule": "cosine", "learning_rate": 0.03}


def never():
    """Go on."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return read_mnist(write_mnist(tmp_path_factory.mktemp("digits") / "mnist"))


def built(name="wrn-10-1", shape=(14, 14, 1), seed=0, **how):
    return build_classifier(name, shape=shape, n_classes=10, seed=seed, device="cpu", **how)


def test_wide_residual_network_has_the_papers_size_and_learns(digits):
    whole = built("wrn-28-2", (32, 32, 3))
    n_weights = sum(p.numel() for p in whole._network.parameters())
    assert n_weights == pytest.approx(1.47e6, rel=0.01)  # "only 1.5M parameters"
    convolutions = [m for m in whole._network.modules() if isinstance(m, nn.Conv2d)]
    assert len([m for m in convolutions if m.kernel_size == (3, 3)]) == 25
    model = built()
    losses = model.train(
        digits.images,
        digits.labels,
        plan=ImageTraining(steps=60, **QUICK),
        check_cancelled=never,
    )
    said = model.predict(digits.test_images, passes=0, seed=0, check_cancelled=never)
    right = said.mean_p[..., 0].argmax(0) == digits.test_labels
    assert losses[-1] < losses[0] / 2 and right.mean() > 0.8
    assert model.features(digits.test_images).shape == (len(digits.test_labels), 64)


def test_strong_changes_are_drawn_differ_and_stay_pictures(digits):
    images = torch.tensor(digits.images[:32]).permute(0, 3, 1, 2).float() / 255
    colour = images.expand(-1, 3, -1, -1)
    for stack in (images, colour):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made = augment_strongly(stack, np.random.default_rng(0))
            other = augment_strongly(stack, np.random.default_rng(1))
            torch.manual_seed(0)
            again = augment_strongly(stack, np.random.default_rng(0))
        assert made.shape == stack.shape and made.min() >= 0 and made.max() <= 1
        assert (made == again).all() and (made != other).any(dim=(1, 2, 3)).all()
        cut = (made == 0.5).all(dim=1).sum(dim=(1, 2))
        assert (cut >= 9).all()  # 7 x 7 pixels, at a corner a quarter of them


def test_losses_are_foretold_only_where_that_was_learned(digits):
    images, labels = digits.images.copy(), digits.labels.copy()
    same = np.flatnonzero(labels == 9)
    images[same] = images[same[0]]
    labels[same] = np.arange(len(same)) % 10  # one picture, ten labels: nobody can learn these
    model = built()
    plan = ImageTraining(steps=120, predicts_loss=True, **QUICK)
    model.train(images, labels, plan=plan, check_cancelled=never)
    said = model.predict(digits.test_images, passes=0, seed=0, check_cancelled=never)
    worth = get_measure("learned-loss").compute(said)[:, 0]
    hard = digits.test_labels == 9
    above = (worth[hard][:, None] > worth[~hard][None]).mean()
    assert above > 0.8  # the share of pairs in the right order
    plain = built()
    plain.train(digits.images, labels, plan=ImageTraining(steps=2, **QUICK), check_cancelled=never)
    said = plain.predict(digits.test_images, passes=0, seed=0, check_cancelled=never)
    assert not get_measure("learned-loss").can_be_computed(said)
    with pytest.raises(ConfigError, match="residual"):
        built("bayesian-cnn").train(digits.images, labels, plan=plan, check_cancelled=never)


def textures(count, seed):
    """Four kinds of lines under noise, which no flip, crop or change of colour renames."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    kinds = np.stack([y % 4 < 2, x % 4 < 2, (x + y) % 4 < 2, (x // 2 + y // 2) % 2 > 0])
    labels = (np.arange(count) % 4).astype(np.uint8)
    noise = rng.normal(0, 60, (count, 16, 16))
    images = np.clip(128 + 50.0 * (kinds[labels] - 0.5) + noise, 0, 255)
    return images[..., None].astype(np.uint8), labels


@pytest.mark.slow
def test_images_without_labels_teach_that_changes_do_not_rename():
    images, labels = textures(200, 0)
    test_images, _ = textures(200, 1)
    stack = torch.tensor(test_images).permute(0, 3, 1, 2).float() / 255
    with torch.random.fork_rng():
        torch.manual_seed(0)
        changed = augment_strongly(stack, np.random.default_rng(0))
    changed_images = (changed * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()

    def divergence(unlabelled):
        """How far what is said of changed pictures is from what is said of them as they are."""
        model = build_classifier("wrn-10-1", shape=(16, 16, 1), n_classes=4, seed=0, device="cpu")
        model.train(
            images[:8],
            labels[:8],
            plan=ImageTraining(steps=400, strong=True, unlabelled=unlabelled, **QUICK),
            check_cancelled=never,
            without_labels=images,
        )
        said, of_changed = (
            model.predict(shown, passes=0, seed=0, check_cancelled=never).mean_p[..., 0]
            for shown in (test_images, changed_images)
        )
        return rel_entr(said, of_changed).sum(axis=0).mean()

    assert divergence(32) < 0.75 * divergence(0)


def test_core_set_takes_the_furthest_first_and_members_vote(digits):
    model = built()
    members = tuple(built(seed=s) for s in (1, 2))
    labelled, shown = np.arange(10), np.arange(20, 60)
    furthest = NetworkLearner(model, digits, "core-set", 0, 0, labelled, 6)
    worth = furthest.worth(shown)
    assert sorted(worth[worth > 0].tolist()) == [1, 2, 3, 4, 5, 6]
    points, centres = (model.features(digits.images[at]) for at in (shown, labelled))
    apart = np.linalg.norm(points[:, None] - centres[None], axis=2).min(axis=1)
    assert worth.argmax() == apart.argmax()
    voting = NetworkLearner(model, digits, "vote-variation-ratio", 0, 0, labelled, 6, members)
    votes = np.stack(
        [
            m.predict(digits.images[shown], passes=0, seed=0, check_cancelled=never)
            .mean_p[..., 0]
            .argmax(0)
            for m in (model, *members)
        ]
    )
    most = np.array([np.bincount(column).max() for column in votes.T])
    assert voting.worth(shown) == pytest.approx(1 - most / 3, abs=1e-6)
    alone = model.predict(digits.images[:5], passes=0, seed=0, check_cancelled=never)
    assert voting.predict(digits.images[:5]).mean_p == pytest.approx(alone.mean_p)


def test_published_weights_of_resnet18_fit_but_for_the_last_layer(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(3)
    published = resnet18(weights=None)
    torch.save(published.state_dict(), tmp_path / "resnet18.pth")
    model = built("resnet18", (32, 32, 3), weights=str(tmp_path / "resnet18.pth"))
    own = model._network
    assert (own.body.layer3[0].conv1.weight == published.layer3[0].conv1.weight).all()
    assert own.head[0].weight.shape == (10, 512)
    published.fc = nn.Identity()
    images = torch.rand(2, 3, 32, 32)
    mean, deviation = (
        torch.tensor(v).reshape(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        expected = published.eval()((images - mean) / deviation)
        assert torch.allclose(own.eval().features(images), expected, atol=1e-5)
    with pytest.raises(ModelError, match="resnet18-f37072fd"):
        built("resnet18", (32, 32, 3), weights="pretrained")


def test_budgets_are_the_papers_and_unknown_variants_are_refused(tmp_path):
    for name, variant, first, last in (
        ("cifar10", "5000-2500", 5000, 20_000),
        ("cifar100", "5000-2500", 5000, 20_000),
        ("cifar10", "", 250, 2000),
        ("cifar100", "", 500, 4000),
    ):
        asked = image_study(name, tmp_path, Scale.FULL, (0,), variant)
        classes = int(name.removeprefix("cifar"))
        assert asked.start_per_class * classes == first
        assert first + asked.rounds * asked.batch == last == asked.budget
        assert asked.network == "wrn-28-2" and asked.epochs == 150 and asked.images_a_step == 64
    names = {arm.name for arm in image_study("cifar10", tmp_path, Scale.FULL, (0,)).arms}
    assert {"ll-plain", "ens-varr-ssl", "core-set", "random-fine-tuned", "all"} <= names
    assert len(names) == 17
    with pytest.raises(ConfigError, match="5000-2500"):
        image_study("cifar10", tmp_path, Scale.FULL, (0,), "5000-250")
    with pytest.raises(ConfigError, match="no variant 'mnist'"):
        image_study("cifar10", tmp_path, Scale.FULL, (0,), "mnist")


@pytest.mark.slow
def test_all_ways_to_ask_run_and_their_areas_are_told(tmp_path):
    root = write_mnist(tmp_path / "mnist")
    asked = image_study("cifar10", root, Scale.SMALL, (0,), "mnist")
    few = {
        "start_per_class": 1, "batch": 10, "rounds": 2, "budget": 30, "steps": 3,
        "unlabelled_steps": 2, "unlabelled_a_step": 8,
    }  # fmt: skip
    kept = [arm for arm in asked.arms if arm.name in ("random", "all", "ens-varr", "core-set-ssl")]
    kept.append(ClassificationArm(name="ll", measure="learned-loss", passes=0))
    asked = asked.parse(**{**asked.model_dump(), **few, "arms": kept})
    out = tmp_path / "out"
    run_classification(asked, out, TorchImageNetworks("cpu"), on_progress=silent)
    rounds = finished_rounds(asked, out)
    for arm in kept:
        own = [f for f in rounds if f["arm"] == arm.name]
        assert [f["images"] for f in own] == ([120] if arm.name == "all" else [10, 20, 30])
    page = write_classification(asked, rounds, out, device="cpu")._repr_html_()
    assert "AUC@B" in page and "doubled as in print" in page and "a mirrored digit" in page.lower()
    assert json.loads((out / "results.json").read_text())["settings"]["budget"] == 30
    shares = [f["share"] for f in rounds if f["arm"] == "random"]
    assert shares == pytest.approx([10 / 120, 20 / 120, 30 / 120])
