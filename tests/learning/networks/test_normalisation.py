"""Images reach an encoder as those did that its weights were trained on."""

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.learning.classification.resnet import ResNet18
from napari_active_seg.learning.classification.vgg import Vgg16
from napari_active_seg.learning.networks.frozen_features import FrozenFeaturesMLP
from napari_active_seg.learning.networks.preprocessing import (
    HALF,
    IMAGENET,
    Normalise,
    find_normalise,
)
from napari_active_seg.learning.networks.registry import build_network
from napari_active_seg.learning.networks.smp import encoder_statistics
from napari_active_seg.models.inference_options import InferenceOptions

CLASSES = ("rest", "disk")
VIT = "fast:vit_tiny_patch16_224"


def stripes():
    """Black and white, so that normalised values are the ends of their range."""
    images = torch.zeros(1, 3, 64, 64)
    images[..., ::2] = 1
    return images


def seen_by(network, encoder):
    """Return what the first layer that takes images is given."""
    seen = []
    encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network.eval()(stripes())
    return seen[0]


@pytest.mark.parametrize("name", [VIT, "smp:FPN/tu-tf_efficientnet_lite0"])
def test_encoder_of_one_half_sees_minus_one_to_one(name):
    pytest.importorskip("segmentation_models_pytorch")
    network = build_network(name, 2).network
    seen = seen_by(network, network.encoder)
    assert (seen.unique() == torch.tensor([-1.0, 1.0])).all()


def test_dcan_sees_what_its_pretrained_weights_saw():
    network = build_network("dcan:50", 2).network
    seen = seen_by(network, network.encoder.stem)
    assert (seen.unique() == torch.tensor([-1.0, 1.0])).all()


@pytest.mark.parametrize("name", ["deeplabv2:resnet50", "smp:FPN/resnet18"])
def test_encoder_of_imagenet_sees_what_it_saw_before(name):
    if name.startswith("smp"):
        pytest.importorskip("segmentation_models_pytorch")
    network = build_network(name, 2).network
    seen = seen_by(network, network.encoder if name.startswith("smp") else network.encoder.conv1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    assert (seen == (stripes() - mean) / std).all()


@pytest.mark.parametrize("make", [lambda: ResNet18(2), lambda: Vgg16(2, width=1 / 16)])
def test_classifiers_see_imagenet_statistics(make):
    network = make()
    first = network.body.conv1 if isinstance(network, ResNet18) else network.body[0]
    seen = seen_by(network, first)
    assert (seen == Normalise(IMAGENET)(stripes())).all()


def test_statistics_of_encoders_without_configuration():
    pytest.importorskip("segmentation_models_pytorch")
    assert encoder_statistics("resnet34") == IMAGENET
    assert encoder_statistics("xception") == HALF
    assert encoder_statistics("timm-tf_efficientnet_lite0") == HALF
    assert encoder_statistics("timm-efficientnet-b0") == IMAGENET
    assert encoder_statistics("dpn68")[0] == pytest.approx((0.4863, 0.4588, 0.4078), abs=1e-4)
    assert encoder_statistics("tu-resnet18") == IMAGENET
    assert encoder_statistics("tu-botnet50ts_256") == IMAGENET  # timm has no weights for it


def test_frozen_features_take_the_statistics_of_their_encoder():
    class Encoder(torch.nn.Module):
        def forward(self, images):
            self.range = float(images.min()), float(images.max())
            return [images[..., ::4, ::4]]

    encoder = Encoder()
    network = FrozenFeaturesMLP(2, encoder=encoder, channels=3, multiple=8, statistics=HALF)
    network.eval()(stripes())
    assert encoder.range == (-1, 1)


def test_statistics_are_no_weights():
    network = build_network("deeplabv2:resnet50", 2).network
    assert not [name for name in network.state_dict() if "normalise" in name]


def predict(segmenter):
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    plan = InferenceOptions(uncertainty_from="single")
    return segmenter.predict(image, plan=plan, check_cancelled=lambda: None).moments.mean_p


def test_checkpoint_keeps_its_statistics_and_older_ones_have_imagenets(tmp_path):
    pytest.importorskip("timm")
    factory = TorchSegmenterFactory("cpu")
    segmenter = factory.build(VIT, classes=CLASSES, seed=0, weights="random")
    path = tmp_path / "m.safetensors"
    segmenter.save(path, facts={})
    loaded = factory.load(path, classes=CLASSES)
    assert find_normalise(loaded._network).statistics == HALF
    assert (predict(loaded) == predict(segmenter)).all()

    with safetensors.safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    assert header.pop("normalisation")
    older = tmp_path / "older.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(path), older, metadata=header)
    loaded = factory.load(older, classes=CLASSES, outputs=(1, 0))  # also behind a remapping
    find_normalise(segmenter._network).replace(IMAGENET)
    assert predict(loaded)[::-1] == pytest.approx(predict(segmenter), abs=1e-5)
    loaded.save(path, facts={})
    assert "0.485" in safetensors.safe_open(path, framework="pt").metadata()["normalisation"]
