import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_networks import CPU, KINDS, LARGE, built, picture
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd

from napari_active_seg.errors import ConfigError
from napari_active_seg.learning.inference import image_to_tensor
from napari_active_seg.learning.module_modes import sampling_dropout, seeded
from napari_active_seg.learning.networks import DCAN, DeepLabV2, DeepLabV3Plus, SmallUNet
from napari_active_seg.learning.networks import dcan as dcan_module
from napari_active_seg.learning.networks import deeplab as deeplab_module
from napari_active_seg.learning.networks.class_remapping import ClassRemapping
from napari_active_seg.learning.networks.convolution import NormedConv
from napari_active_seg.learning.networks.custom import CustomNetwork
from napari_active_seg.learning.networks.dropout_split import cut_at_first_dropout
from napari_active_seg.learning.networks.encoders import ResNet, ResNetV2, WideResNet38
from napari_active_seg.learning.networks.pointwise import PointwiseBlock
from napari_active_seg.learning.networks.smp import SmpNetwork
from napari_active_seg.learning.networks.unet import _double_and_convolve


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 8), (37, 53), (3, 50), (96, 64)])
def test_network_takes_any_size_and_number_of_classes(kind, shape):
    for n_classes in (2, 5):
        network, x = built(kind, n_classes), image_to_tensor(picture(shape), CPU)
        with torch.inference_mode():
            logits = network(x)
        assert logits.shape == (1, n_classes, *shape)
        assert torch.isfinite(logits).all()


@pytest.mark.parametrize("kind", LARGE)
def test_full_size_network_takes_any_size(kind):
    with torch.inference_mode():
        logits = LARGE[kind](4).eval()(image_to_tensor(picture((45, 70)), CPU))
    assert logits.shape == (1, 4, 45, 70)


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_once_per_image_is_deterministic_while_dropout_samples(kind):
    network, x = built(kind), image_to_tensor(picture(), CPU)
    with torch.inference_mode(), sampling_dropout(network):
        one, two = (network.middle(network.prefix(x)) for _ in range(2))
        logits = [network.suffix(one, (37, 53)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(*logits)


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_equals_training_mode_with_the_same_statistics(kind):
    """Norms go into the weights in evaluation alone; both ways must say the same."""
    network, x = built(kind), image_to_tensor(picture((64, 64)), CPU)
    generator = torch.Generator().manual_seed(1)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            if layer.affine:
                layer.weight.data.uniform_(0.5, 2, generator=generator)
                layer.bias.data.normal_(0, 0.2, generator=generator)
    with torch.no_grad():
        folded = network(x)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.training = True
                layer.forward = lambda y, n=layer: F.batch_norm(
                    y, n.running_mean, n.running_var, n.weight, n.bias, training=False, eps=n.eps
                )
        plain = network(x)
    torch.testing.assert_close(folded, plain, atol=2e-4, rtol=1e-3)


def said_millions(text, name):
    found = re.search(rf"([\d.]+)(?: million)? \({name}\)", text.replace("\n", " "))
    return float(found[1])


@pytest.mark.parametrize(
    ("text", "name", "make"),
    [
        (dcan_module.__doc__, "ResNet-50", lambda: DCAN(2)),
        (dcan_module.__doc__, "101", lambda: DCAN(2, depth=101)),
        (dcan_module.__doc__, "152", lambda: DCAN(2, depth=152)),
        (deeplab_module.__doc__, "ResNet-50", lambda: DeepLabV3Plus(2)),
        (deeplab_module.__doc__, "ResNet-101", lambda: DeepLabV3Plus(2, encoder="resnet101")),
        (
            deeplab_module.__doc__,
            "Wide ResNet-38",
            lambda: DeepLabV3Plus(2, encoder="wideresnet38"),
        ),
    ],
)
def test_documented_parameter_counts_are_true(text, name, make):
    with torch.device("meta"):
        count = sum(p.numel() for p in make().parameters())
    assert said_millions(text, name) == round(count / 1e6, 1)


def test_small_networks_are_small():
    assert sum(p.numel() for p in built("unet").parameters()) < 2_000_000
    assert sum(p.numel() for p in built("fast").parameters()) < 20_000


def test_dropout_sits_where_the_paper_and_where_the_code_has_it():
    paper, code = DCAN(2, width=1 / 16), DCAN(2, width=1 / 16, placement="code")
    units = [len(stage.blocks) for stage in paper.encoder.stages]
    assert units == [3, 4, 6, 3]
    assert [len(stage.dropout) for stage in paper.encoder.stages] == units
    assert [len(stage.dropout) for stage in code.encoder.stages] == [0, 0, 6, 3]
    assert {layer.p for layer in code.sampled_dropout()} == {0.5}
    v3 = DeepLabV3Plus(2, encoder="wideresnet38", width=1 / 32)
    assert [layer.p for layer in v3.sampled_dropout()] == [0.1, 0.1, 0.1]
    for encoder in (ResNet("resnet50", output_stride=16), WideResNet38(width=1 / 32)):
        assert not any(isinstance(m, _DropoutNd) for m in encoder.modules())


def test_dropout_before_a_unit_is_on_its_trunk():
    """A unit sees a dropped trunk and adds to it: with rate 1 only later branches remain."""
    encoder = ResNetV2(50, placement="paper", dropout=0.999999, width=1 / 16).train()
    zeros = encoder.stages[0].dropout[0](torch.ones(1, 4, 8, 8))
    assert (zeros == 0).all()


def test_dcan_gives_object_contour_and_auxiliary_logits():
    network = built("dcan", 4)
    heads = network.heads(network.middle(network.prefix(torch.rand(2, 3, 40, 52))), (40, 52))
    assert heads.logits.shape == (2, 4, 40, 52)
    assert heads.contour.shape == (2, 2, 40, 52)
    assert [tuple(level.shape) for level in heads.auxiliary] == [(2, 4, 40, 52)] * 3
    torch.testing.assert_close(heads.logits, sum(heads.auxiliary))
    torch.testing.assert_close(heads.contour, sum(heads.contour_auxiliary))
    with torch.inference_mode():
        assert torch.equal(network(torch.ones(1, 3, 33, 40)), network(torch.ones(1, 3, 33, 40)))


@pytest.mark.parametrize("stride", [8, 16])
def test_encoders_keep_their_resolution(stride):
    low, last = ResNet("resnet50", output_stride=stride).eval()(torch.rand(1, 3, 64, 96))
    assert low.shape[-2:] == (16, 24)
    assert last.shape[-2:] == (64 // stride, 96 // stride)
    low, last = WideResNet38(width=1 / 32).eval()(torch.rand(1, 3, 64, 96))
    assert low.shape[-2:] == (32, 48)
    assert last.shape[-2:] == (8, 12)
    levels = ResNetV2(50, placement="code", dropout=0.5, width=1 / 16).eval()
    shapes = [t.shape[-2:] for t in levels.levels(levels.deterministic(torch.rand(1, 3, 64, 96)))]
    assert shapes == [(8, 12), (4, 6), (4, 6)]


def test_unknown_encoders_depths_and_placements_are_refused():
    with pytest.raises(ConfigError, match="wideresnet38, not 'vgg'"):
        DeepLabV3Plus(2, encoder="vgg")
    with pytest.raises(ConfigError, match="resnet50 or resnet101"):
        DeepLabV2(2, encoder="resnet18")
    with pytest.raises(ConfigError, match="not 34"):
        DCAN(2, depth=34)
    with pytest.raises(ConfigError, match="'paper' or the 'code'"):
        DCAN(2, placement="thesis")


def test_doubling_and_convolving_at_once_equals_one_after_the_other():
    x, weight = torch.rand(2, 5, 7, 9), torch.rand(3, 5, 3, 3)
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    torch.testing.assert_close(
        _double_and_convolve(x, weight), F.conv2d(doubled, weight, padding=1), rtol=1e-5, atol=1e-5
    )


def test_gain_in_the_weights_equals_gain_on_the_planes():
    block, planes = PointwiseBlock(6, 4).eval(), torch.rand(1, 6, 5, 7)
    gain = torch.tensor([[0.0, 2, 1, 0, 1, 3], [1.0, 1, 0, 0, 2, 1]])
    together = block(planes, gain)
    for row, found in zip(gain, together, strict=True):
        apart = block(planes * row[None, :, None, None])[0]
        torch.testing.assert_close(found, apart)


def test_unet_reads_checkpoints_of_before_its_blocks_were_cut():
    """The layout that 0.1 wrote: sequences of convolution, norm and ReLU."""

    def block(a, b):
        layers = []
        for before, after in ((a, b), (b, b)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        return nn.Sequential(*layers)

    widths = (16, 32, 64, 96, 128)
    old = nn.Module()
    old.stem = block(3, 16)
    pairs = list(pairwise(widths))
    old.encoder = nn.ModuleList(block(a, b) for a, b in pairs)
    old.decoder = nn.ModuleList(block(a + b, a) for a, b in reversed(pairs))
    old.head = nn.Conv2d(16, 2, 1)
    new = SmallUNet(2).eval()
    new.load_state_dict(SmallUNet.upgrade_checkpoint(old.state_dict()))
    old.eval()
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        level = old.stem((F.avg_pool2d(x, 2) - 0.5) * 2)
        maps = [level]
        for part in old.encoder:
            level = part(F.max_pool2d(level, 2))
            maps.append(level)
        for part, skip in zip(old.decoder, reversed(maps[:-1]), strict=True):
            level = part(torch.cat([F.interpolate(level, scale_factor=2), skip], dim=1))
        expected = F.interpolate(old.head(level), scale_factor=2, mode="bilinear")
        torch.testing.assert_close(new(x), expected, atol=1e-4, rtol=1e-4)
    assert SmallUNet.upgrade_checkpoint(new.state_dict()).keys() == new.state_dict().keys()


def test_normed_convolution_learns_with_its_norm():
    layer, x = NormedConv(3, 4).train(), torch.rand(2, 3, 8, 8)
    expected = F.batch_norm(F.conv2d(x, layer.weight, padding=1), None, None, training=True).relu()
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-4)


def test_regrouped_passes_on_what_its_network_gives_besides():
    inner = built("dcan", 3)
    outer = ClassRemapping(inner, (0, 1, 1), 2)
    features = outer.middle(outer.prefix(torch.rand(1, 3, 32, 32)))
    with torch.inference_mode():
        heads = outer.heads(features, (32, 32))
        expected = inner.heads(features, (32, 32))
    p, q = heads.logits.softmax(1), expected.logits.softmax(1)
    torch.testing.assert_close(p, torch.stack([q[:, 0], q[:, 1] + q[:, 2]], 1))
    assert torch.equal(heads.contour, expected.contour)
    assert (outer.stride, outer.has_contour) == (16, True)
    assert list(outer.sampled_dropout()) == list(inner.sampled_dropout())
    assert torch.equal(outer.embed(features), inner.embed(features))
    assert len(outer.stages(features)) == 3


# --- what others bring ---------------------------------------------------------------------------


class Plain(nn.Module):
    """A stranger's network at a quarter of the image's size."""

    def __init__(self, n_classes, branches=False):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.drop = nn.Dropout2d(0.4)
        self.gain = nn.Parameter(torch.ones(8, 1, 1))
        self.last = nn.Conv2d(16, n_classes, 1)
        self.branches = branches

    def forward(self, x):
        if self.branches and x.mean() > 10:
            return x
        early = self.second(self.first(x).relu())
        return self.last(torch.cat([self.drop(early * self.gain), early], dim=1))


def test_strangers_network_is_cut_at_its_first_dropout():
    plain = Plain(3).eval()
    before, after = cut_at_first_dropout(plain)
    x = torch.rand(2, 3, 32, 40)
    with torch.inference_mode():
        assert torch.equal(after(*before(x)), plain(x))
        names = {name for name, _ in before.named_modules()} - {""}
        assert names == {"first", "second"}
        assert {name for name, _ in after.named_modules()} - {""} == {"drop", "last"}
    plain.last.weight.data.add_(1)  # the parts share its parameters
    with torch.inference_mode():
        assert torch.equal(after(*before(x)), plain(x))


@pytest.mark.parametrize("branches", [False, True])
def test_strangers_network_answers_at_the_size_of_the_image(branches):
    with seeded(0, CPU):
        plain = Plain(3, branches)
    network = CustomNetwork(plain, multiple=4).eval()
    assert network.is_cut == (not branches)
    with torch.inference_mode():
        logits = network(torch.rand(1, 3, 31, 42))
    assert logits.shape == (1, 3, 31, 42)


def test_strangers_network_without_dropout_runs_whole():
    network = CustomNetwork(nn.Conv2d(3, 2, 1)).eval()
    assert not network.is_cut and not network.sampled_dropout()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 31, 42)).shape == (1, 2, 31, 42)


def test_pair_by_name_gets_dropout_in_its_decoder():
    smp = pytest.importorskip("segmentation_models_pytorch")
    for decoder in ("Unet", "FPN", "Linknet"):
        whole = smp.create_model(decoder, "resnet18", encoder_weights=None, classes=3)
        network = SmpNetwork(whole).eval()
        drops = network.sampled_dropout()
        assert drops
        assert all(layer.p > 0 for layer in drops)
        x = image_to_tensor(picture((45, 70)), CPU)
        with torch.inference_mode(), sampling_dropout(network):
            features = network.prefix(x)
            passes = [network.suffix(features, (45, 70)) for _ in range(2)]
            again = network.prefix(x)
        assert passes[0].shape == (1, 3, 45, 70)
        assert not torch.equal(*passes)
        assert all(torch.equal(a, b) for a, b in zip(features, again, strict=True))


def test_embedding_is_a_coarse_map_of_the_image():
    for kind in KINDS:
        network = built(kind)
        with torch.inference_mode():
            features = network.middle(network.prefix(image_to_tensor(picture((64, 96)), CPU)))
            maps = network.embed(features)
        assert maps.shape[0] == 1
        assert np.prod(maps.shape[-2:]) <= 64 * 96 / 4
        assert maps.shape[-1] * 64 == maps.shape[-2] * 96
    assert DeepLabV3Plus(2, encoder="wideresnet38", width=1 / 32).embed(
        (torch.zeros(1, 256, 2, 2), torch.zeros(1, 304, 8, 8))
    ).shape == (1, 256, 2, 2)
