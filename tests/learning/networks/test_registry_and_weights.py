import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torchvision import models

from napari_active_seg.errors import ConfigError, MissingExtraError, ModelError
from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.learning.networks import DCAN, DeepLabV3Plus, FilterBankMLP
from napari_active_seg.learning.networks import registry as catalogue_module
from napari_active_seg.learning.networks.custom import CustomNetwork
from napari_active_seg.learning.networks.encoders import ResNet, ResNetV2
from napari_active_seg.learning.networks.frozen_features import FrozenFeaturesMLP
from napari_active_seg.learning.networks.registry import build_network
from napari_active_seg.learning.networks.smp import SmpNetwork
from napari_active_seg.learning.weights import (
    KnownWeights,
    fill_encoder,
    starting_weights,
    weights_folder,
)
from napari_active_seg.models import registry
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.preset_names import PRESET_NAMES, preset_names
from napari_active_seg.uncertainty import get_measure


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()


@pytest.fixture
def no_network(monkeypatch):
    asked = []

    def refused(request, **_):
        asked.append(request.full_url)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(urllib.request, "urlopen", refused)
    return asked


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fast", FilterBankMLP),
        ("dcan:50/code", DCAN),
        ("deeplabv3plus", DeepLabV3Plus),
        ("smp:FPN/resnet18", SmpNetwork),
        ("fast:convnext_atto", FrozenFeaturesMLP),
        ("fast:vit_tiny_patch16_224", FrozenFeaturesMLP),
        ("fast:vit_small_patch14_dinov2", FrozenFeaturesMLP),
        ("fast:vit_small_patch16_dinov3", FrozenFeaturesMLP),
    ],
)
def test_network_comes_by_name(name, kind):
    if ":" in name and name.split(":")[0] in ("smp", "fast"):
        pytest.importorskip("segmentation_models_pytorch")
    built = build_network(name, 3)
    assert isinstance(built.network, kind)
    assert built.origin == "random weights"
    with torch.inference_mode():
        assert built.network.eval()(torch.rand(1, 3, 40, 56)).shape == (1, 3, 40, 56)


@pytest.mark.parametrize("name", ["unet", "deeplabv3plus", "deeplabv2:resnet50", "dcan:50/code"])
def test_a_plain_network_has_no_dropout_and_nothing_else_differs(name):
    plain = f"{name}/plain" if ":" in name else f"{name}:plain"
    factory = TorchSegmenterFactory("cpu")
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    spread, parameters = {}, {}
    for one in (name, plain):
        torch.manual_seed(0)
        segmenter = factory.build(one, classes=("a", "b"), seed=0, weights="random")
        moments = segmenter.predict(
            image, plan=InferenceOptions(samples=3), check_cancelled=lambda: None
        ).moments
        spread[one] = float(np.abs(get_measure("mean-std").compute(moments)).max())
        parameters[one] = sum(p.numel() for p in build_network(one, 2).network.parameters())
    assert spread[name] > 0 and spread[plain] < 1e-6
    assert parameters[name] == parameters[plain]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deeplab", "did you mean 'deeplabv"),
        ("unet:large", "unet has no variants"),
        ("dcan:50/thesis", "is not known"),
        ("dcan:34", "50, 101 or 152"),
        ("deeplabv3plus:vgg", "not 'vgg'"),
        ("smp:FPN", "names no pair"),
        ("smp:FPN/resnet0", "cannot be made"),
        ("fast:dinosaur", "timm knows no encoder"),
        ("fast:swin_tiny_patch4_window7_224", "does not take images of any size"),
    ],
)
def test_unknown_names_are_refused_with_words(name, words):
    if name.startswith(("smp", "fast")):
        pytest.importorskip("segmentation_models_pytorch")
    with pytest.raises(ConfigError, match=words):
        build_network(name, 2)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"napari-active-seg\[encoders\]"):
        build_network("fast:resnet18", 2)


def test_frozen_encoder_is_not_trained_and_stays_in_evaluation():
    pytest.importorskip("timm")
    network = build_network("fast:convnext_atto", 2).network.train()
    assert not any(p.requires_grad for p in network.encoder.parameters())
    assert not any(layer.training for layer in network.encoder.modules())
    assert network.drop_first.training
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) < 60_000
    embedded = network.embed(network.middle(network.prefix(torch.rand(1, 3, 32, 32))))
    assert embedded.shape == (1, 64, 16, 16)


# --- weights -------------------------------------------------------------------------------------


def test_classifier_of_torchvision_fills_the_encoder(tmp_path):
    source = models.resnet50(weights=None)
    path = tmp_path / "resnet.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in source.state_dict().items()}}, path)
    built = build_network("deeplabv3plus", 2, weights=str(path))
    assert built.origin == "resnet.pth"
    assert torch.equal(built.network.encoder.layer3[2].conv2.weight, source.layer3[2].conv2.weight)


def test_timm_weights_fill_the_pre_activation_encoder(tmp_path):
    timm = pytest.importorskip("timm")
    source = timm.create_model("resnetv2_50", pretrained=False).eval()
    path = tmp_path / "v2.safetensors"
    safetensors.torch.save_file(source.state_dict(), path)
    encoder = ResNetV2(50, placement="paper", dropout=0.1).eval()
    fill_encoder(encoder, path)
    for stage, other in zip(encoder.stages, source.stages, strict=True):
        assert torch.equal(stage.blocks[0].conv3.weight, other.blocks[0].conv3.weight)
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():  # up to stage 3 the strides, and so the values, are the same
        ours = encoder.levels(encoder.deterministic(x))[1]
        theirs = source.stages[2](source.stages[1](source.stages[0](source.stem(x))))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_file_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"a.weight": torch.zeros(3), "fc.bias": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match=r"another network: .* missing, 1 unknown"):
        fill_encoder(ResNet("resnet50", output_stride=16), path)
    shrunk = {
        k: v[:1].clone()
        for k, v in ResNet("resnet50", output_stride=16).state_dict().items()
        if v.ndim
    } | {}
    safetensors.torch.save_file(shrunk, path)
    with pytest.raises(ModelError, match="of another shape"):
        fill_encoder(ResNet("resnet50", output_stride=16), path)


def test_damaged_and_dangerous_files_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not a file of weights")
    with pytest.raises(ModelError):
        build_network("deeplabv3plus", 2, weights=str(path))
    (tmp_path / "w.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(ModelError, match="damaged"):
        build_network("deeplabv3plus", 2, weights=str(tmp_path / "w.safetensors"))
    proof = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (proof,))

    torch.save({"state_dict": Evil()}, path)
    with pytest.raises(ModelError, match="could run code"):
        build_network("deeplabv3plus", 2, weights=str(path))
    assert not proof.exists()
    torch.save([torch.zeros(2)], path)
    with pytest.raises(ModelError, match="no state_dict"):
        build_network("deeplabv3plus", 2, weights=str(path))
    with pytest.raises(ModelError, match=r"no file of weights nowhere\.pth"):
        build_network("deeplabv3plus", 2, weights="nowhere.pth")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("deeplabv3plus", "resnet50-11ad3fa6.pth"),
        ("deeplabv2", "resnet101-cd907fc2.pth"),
        ("dcan", "resnetv2_50.a1h_in1k.safetensors"),
        ("smp:FPN/resnet34", "resnet34.safetensors"),
        ("fast:convnext_atto", "convnext_atto.safetensors"),
    ],
)
def test_refused_download_names_file_and_folder_at_once(name, file, no_network):
    if name.startswith(("smp", "fast")):
        pytest.importorskip("segmentation_models_pytorch")
    began = time.monotonic()
    with pytest.raises(ModelError, match="Network is unreachable") as caught:
        build_network(name, 2, weights="pretrained")
    assert time.monotonic() - began < 5  # most of it builds the network
    assert len(no_network) == 1
    for part in (file, str(weights_folder()), "--init scratch"):
        assert part in str(caught.value)


def test_network_that_never_answers_is_given_up(monkeypatch):
    done = threading.Event()

    def silent(*_, **__):
        done.wait(30)
        raise OSError("closed")

    monkeypatch.setattr(urllib.request, "urlopen", silent)
    began = time.monotonic()
    try:
        with pytest.raises(ModelError, match="no answer"):
            starting_weights("pretrained", KnownWeights("w.pth", "https://example.org/w.pth"), "x")
        assert time.monotonic() - began < 2.5
    finally:
        done.set()


def test_offline_setting_is_obeyed_without_asking(monkeypatch, no_network):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        starting_weights("pretrained", KnownWeights("w.pth", "https://example.org/w.pth"), "x")
    assert not no_network


def test_file_in_the_folder_of_weights_needs_no_network(no_network):
    torch.save(
        models.resnet50(weights=None).state_dict(), weights_folder() / "resnet50-11ad3fa6.pth"
    )
    built = build_network("deeplabv3plus", 2, weights="pretrained")
    assert built.origin == "resnet50-11ad3fa6.pth"
    assert not no_network


def test_timm_encoder_starts_from_a_local_file(no_network):
    timm = pytest.importorskip("timm")
    source = timm.create_model("convnext_atto", pretrained=False)
    path = weights_folder() / "convnext_atto.safetensors"
    safetensors.torch.save_file(source.state_dict(), path)
    for choice in ("pretrained", str(path)):
        built = build_network("fast:convnext_atto", 2, weights=choice)
        assert built.origin == "convnext_atto.safetensors"
        weights = dict(built.network.encoder.named_parameters())
        first = next(name for name in weights if name.endswith("conv_dw.weight"))
        original = dict(source.named_parameters())
        assert any(torch.equal(weights[first], value) for value in original.values())
    assert not no_network


def test_download_is_kept_whole_or_not_at_all(tmp_path, monkeypatch):
    origin = tmp_path / "source.bin"
    origin.write_bytes(b"weights" * 1000)
    real = urllib.request.urlopen

    def local(request, **options):
        del options
        if isinstance(request, str):
            return real(origin.as_uri())
        return real(urllib.request.Request(origin.as_uri()))

    monkeypatch.setattr(urllib.request, "urlopen", local)
    known = KnownWeights("net.safetensors", "https://example.org/net.safetensors")
    start = starting_weights("pretrained", known, "net")
    assert start.path.read_bytes() == origin.read_bytes()
    damaged = KnownWeights("net-0badf00d.pth", "https://example.org/net-0badf00d.pth")
    with pytest.raises(ModelError, match="came damaged"):
        starting_weights("pretrained", damaged, "net")
    assert [p.name for p in weights_folder().iterdir()] == ["net.safetensors"]


def test_random_weights_are_said_aloud_and_stored(tmp_path):
    factory = TorchSegmenterFactory("cpu")
    built = factory.build("deeplabv3plus", classes=("a", "b"), seed=0, weights="random")
    assert built.origin == "random weights"
    built.save(tmp_path / "m.safetensors", facts={})
    loaded = factory.load(tmp_path / "m.safetensors", classes=("a", "b"))
    assert loaded.origin == "random weights"
    with pytest.raises(ModelError, match="no weights are published for wideresnet38"):
        factory.build("deeplabv3plus:wideresnet38", classes=("a", "b"), seed=0)


# --- a user's own network ------------------------------------------------------------------------

MINE = """
from torch import nn

def build(n_classes):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.3), nn.Conv2d(8, n_classes, 1)
    )

notes = "not a function"
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_NETWORKS", f"mine={path}:build")
    return path


def test_network_registered_by_a_path_is_built_sampled_and_saved(mine, tmp_path):
    assert preset_names() == (*PRESET_NAMES, "mine")
    factory = TorchSegmenterFactory("cpu")
    segmenter = factory.build("mine", classes=("a", "b", "c"), seed=0)
    assert isinstance(segmenter._network, CustomNetwork)
    segmenter.save(tmp_path / "m.safetensors", facts={})
    loaded = factory.load(tmp_path / "m.safetensors", classes=("a", "b", "c"))
    image = (torch.rand(20, 30, 3) * 255).to(torch.uint8).numpy()
    found = [
        s.predict(image, plan=InferenceOptions(samples=4), check_cancelled=lambda: None).moments
        for s in (segmenter, loaded)
    ]
    assert (found[0].mean_p == found[1].mean_p).all()
    assert found[0].var_p.max() > 0


def test_network_without_dropout_is_asked_otherwise(mine, tmp_path):
    """It could not be built at all, though the page says how to ask it."""
    mine.write_text(MINE.replace("nn.Dropout2d(0.3), ", ""))
    factory = TorchSegmenterFactory("cpu")
    one, two = (factory.build("mine", classes=("a", "b"), seed=seed) for seed in (0, 1))
    image = (torch.rand(21, 30, 3) * 255).to(torch.uint8).numpy()

    def predict(segmenter, method, passes=8):
        plan = InferenceOptions(uncertainty_from=method, samples=passes)
        return segmenter.predict(image, plan=plan, check_cancelled=lambda: None).moments

    for call in (
        lambda: predict(one, "dropout"),
        lambda: one.check_sampling(InferenceOptions(uncertainty_from="dropout")),
        lambda: factory.ensemble([one, two]).check_sampling(
            InferenceOptions(uncertainty_from="dropout")
        ),
    ):
        with pytest.raises(
            ModelError, match=r"no dropout layer.*set uncertainty_from to ensemble, views"
        ):
            call()
    plain = predict(one, "single")
    assert plain.n == 1 and (predict(one, "dropout", passes=1).mean_p == plain.mean_p).all()
    views = predict(one, "views")
    assert views.n == 8 and views.var_p.max() > 0
    both = predict(factory.ensemble([one, two]), "ensemble")
    assert both.n == 2 and both.var_p.max() > 0
    one.save(tmp_path / "m.safetensors", facts={})
    loaded = factory.load(tmp_path / "m.safetensors", classes=("a", "b"))
    assert (predict(loaded, "single").mean_p == plain.mean_p).all()


@pytest.fixture
def fresh_entry_points():
    """Let entry points be looked up again, and forget them afterwards."""
    registry._entry_points.cache_clear()
    yield
    registry._entry_points.cache_clear()


@pytest.mark.usefixtures("fresh_entry_points")
def test_network_registered_by_an_entry_point_is_found(monkeypatch):
    class Point:
        name = "theirs"

        def load(self):
            return lambda n: torch.nn.Sequential(torch.nn.Dropout2d(0.1), torch.nn.Conv2d(3, n, 1))

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()])
    assert "theirs" in preset_names()
    assert isinstance(build_network("theirs", 2).network, CustomNetwork)


def test_registered_name_that_leads_nowhere_is_told(mine, monkeypatch):
    variable = "NAPARI_ACTIVE_SEG_NETWORKS"
    for value, words in (
        (f"mine={mine}:missing", "cannot be imported"),
        (f"mine={mine}:notes", "makes nothing"),
        (f"mine={mine.parent / 'no.py'}:build", "cannot be imported"),
    ):
        monkeypatch.setenv(variable, value)
        with pytest.raises(ModelError, match=words):
            build_network("mine", 2)
    monkeypatch.setenv(variable, "mine")
    with pytest.raises(ConfigError, match="NAME=FILE:FUNCTION"):
        build_network("mine", 2)


def test_project_alone_runs_no_strangers_code(mine, monkeypatch):
    """A project only names a network; what is not registered here is refused."""
    monkeypatch.delenv("NAPARI_ACTIVE_SEG_NETWORKS")
    with pytest.raises(ConfigError, match="no network"):
        build_network(f"{mine}:build", 2)
    assert catalogue_module.network_family("dcan:101") == "dcan"
