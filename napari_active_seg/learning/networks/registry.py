"""Networks by name: ``NAME`` or ``NAME:VARIANT``.

- ``fast``, or ``fast:ENCODER`` on frozen features of a timm encoder
- ``unet``, or ``unet:group`` with group norm, which several processes can train together
- ``dcan``, ``dcan:101``, ``dcan:152``, each also as ``dcan:50/code`` with the code's dropout
- ``deeplabv3plus``, ``deeplabv3plus:resnet101``, ``deeplabv3plus:wideresnet38``
- ``deeplabv2``, ``deeplabv2:resnet50``
- ``unet:plain``, ``deeplabv3plus:plain``, ``deeplabv3plus:wideresnet38/plain`` and so on: the same
  without dropout: all samples are the same
- ``smp:DECODER/ENCODER``, any pair of segmentation-models-pytorch
- whatever was registered (``registered_networks.py``)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_active_seg.errors import ConfigError, MissingExtraError, ModelError
from napari_active_seg.learning.networks.base import Network
from napari_active_seg.learning.networks.custom import CustomNetwork
from napari_active_seg.learning.networks.dcan import DCAN
from napari_active_seg.learning.networks.deeplab import DeepLabV2, DeepLabV3Plus
from napari_active_seg.learning.networks.encoders.resnet_v2 import PLACEMENTS
from napari_active_seg.learning.networks.filter_bank import FilterBankMLP
from napari_active_seg.learning.networks.frozen_features import FrozenFeaturesMLP
from napari_active_seg.learning.networks.smp import SmpNetwork, encoder_statistics
from napari_active_seg.learning.networks.unet import SmallUNet
from napari_active_seg.learning.weights import (
    KnownWeights,
    check_reachable,
    fill_encoder,
    local_file,
    starting_weights,
)
from napari_active_seg.models.preset_names import family_among
from napari_active_seg.models.registry import get_registered_builder, list_registered_networks

__all__ = ["BuiltNetwork", "build_network", "network_family"]

#: Families of which ``NAME:VARIANT/plain`` leaves dropout out.
_MAY_BE_PLAIN = ("unet", "dcan", "deeplabv3plus", "deeplabv2")
_TIMM_V2 = {50: "resnetv2_50.a1h_in1k", 101: "resnetv2_101.a1h_in1k"}


@dataclass(frozen=True, slots=True, eq=False)
class BuiltNetwork:
    """A network, and the weights that it starts from in words."""

    network: Network
    origin: str


def network_family(name: str) -> str:
    """Return the part before the colon; ConfigError if it is not a network."""
    return family_among(name, (*_BUILDERS, *list_registered_networks()))


def build_network(name: str, n_classes: int, *, weights: str = "random") -> BuiltNetwork:
    """Return the network called ``name``.

    ``weights`` is "random", "pretrained" or the path of a file for the encoder. Networks without
    an encoder that was trained elsewhere take "pretrained" as nothing to load.
    """
    family, _, variant = name.partition(":")
    network_family(name)
    if family in _BUILDERS:
        if family not in _MAY_BE_PLAIN or variant.rpartition("/")[2] != "plain":
            return _BUILDERS[family](variant, n_classes, weights)
        built = _BUILDERS[family](variant.rpartition("/")[0], n_classes, weights)
        for layer in built.network.modules():
            if isinstance(layer, nn.Dropout | nn.Dropout2d):
                layer.p = 0.0
        return built
    module = get_registered_builder(family)(n_classes)
    return BuiltNetwork(CustomNetwork(module), "its own weights")


def _fast(variant: str, n_classes: int, weights: str) -> BuiltNetwork:
    if not variant:
        return BuiltNetwork(FilterBankMLP(n_classes), "random weights")
    timm = _imported("timm")
    if not timm.is_model(variant):
        raise ConfigError(f"timm knows no encoder {variant!r}; see timm.list_models()")
    options, origin = _timm_options(variant, weights)
    try:
        network = FrozenFeaturesMLP.of_timm(variant, n_classes, **options)
    except (RuntimeError, OSError, ValueError) as error:
        raise ModelError(f"{variant} could not be made with {origin}: {error}") from error
    _check_any_size(network, f"fast:{variant}")
    return BuiltNetwork(network, origin)


def _check_any_size(network: Network, name: str) -> None:
    """Raise ConfigError where a stranger's encoder takes images of one size alone."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, 70, 90))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ConfigError(f"{name} does not take images of any size: {error}") from error
    network.train(was_training)


def _timm_options(encoder: str, weights: str) -> tuple[dict[str, Any], str]:
    """Return what timm's create_model needs to load ``weights``, and their name."""
    if weights == "random":
        return {"pretrained": False}, "random weights"
    path = _file_unless_fetched(encoder, weights, repository=f"timm/{encoder}")
    if path is None:
        return {"pretrained": True}, encoder
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}, path.name


def _file_unless_fetched(encoder: str, weights: str, *, repository: str) -> Path | None:
    """Return the file to start ``encoder`` from; None if its own package is to fetch one.

    ModelError where a package would have to fetch it and the hub cannot be reached.
    """
    path = local_file(encoder)
    if weights != "pretrained":
        path = starting_weights(weights, None, encoder).path
    if path is None:
        file = f"model.safetensors as {encoder}.safetensors"
        check_reachable(_on_hub(repository), file=file, network=encoder)
    return path


def _on_hub(repository: str) -> str:
    return f"https://huggingface.co/{repository}/resolve/main/model.safetensors"


def _unet(variant: str, n_classes: int, _: str) -> BuiltNetwork:
    if variant not in ("", "group"):
        raise ConfigError(f"unet has no variants but group and plain, got unet:{variant}")
    return BuiltNetwork(SmallUNet(n_classes, norm=variant or "batch"), "random weights")


def _dcan(variant: str, n_classes: int, weights: str) -> BuiltNetwork:
    depth, _, placement = (variant or "50").partition("/")
    if not depth.isdecimal() or (placement and placement not in PLACEMENTS):
        raise ConfigError(f"dcan:{variant} is not known; use dcan:50, dcan:101 or dcan:152/code")
    network = DCAN(n_classes, depth=int(depth), placement=placement or "paper")
    known = None
    if int(depth) in _TIMM_V2:
        name = _TIMM_V2[int(depth)]
        known = KnownWeights(f"{name}.safetensors", _on_hub(f"timm/{name}"))
    return _filled(network, weights, known, f"ResNet-{depth} v2")


def _deeplab_v3plus(variant: str, n_classes: int, weights: str) -> BuiltNetwork:
    encoder = variant or "resnet50"
    network = DeepLabV3Plus(n_classes, encoder=encoder)
    return _filled(network, weights, _torchvision_file(encoder), encoder)


def _deeplab_v2(variant: str, n_classes: int, weights: str) -> BuiltNetwork:
    encoder = variant or "resnet101"
    network = DeepLabV2(n_classes, encoder=encoder)
    return _filled(network, weights, _torchvision_file(encoder), encoder)


def _torchvision_file(encoder: str) -> KnownWeights | None:
    if encoder not in ("resnet50", "resnet101"):
        return None
    from torchvision.models import get_model_weights

    url = get_model_weights(encoder).IMAGENET1K_V2.url
    return KnownWeights(url.rpartition("/")[2], url)


def _filled(
    network: DCAN | DeepLabV2 | DeepLabV3Plus,
    weights: str,
    known: KnownWeights | None,
    encoder: str,
) -> BuiltNetwork:
    start = starting_weights(weights, known, encoder)
    if start.path is not None:
        fill_encoder(network.encoder, start.path)
    return BuiltNetwork(network, start.origin)


def _smp(variant: str, n_classes: int, weights: str) -> BuiltNetwork:
    smp = _imported("segmentation_models_pytorch")
    decoder, _, encoder = variant.partition("/")
    if not decoder or not encoder:
        raise ConfigError(f"smp:{variant} names no pair; use for example smp:FPN/resnet34")
    path, fetched = None, None
    if weights != "random":
        path = _file_unless_fetched(encoder, weights, repository=f"smp-hub/{encoder}.imagenet")
        fetched = "imagenet" if path is None else None
    try:
        whole = smp.create_model(decoder, encoder, encoder_weights=fetched, classes=n_classes)
    except (KeyError, ValueError, NotImplementedError) as error:
        raise ConfigError(f"smp:{variant} cannot be made: {error}") from error
    except (RuntimeError, OSError) as error:
        raise ModelError(f"smp:{variant} cannot be made: {error}") from error
    if path is not None:
        fill_encoder(whole.encoder, path)
    network = SmpNetwork(whole, statistics=encoder_statistics(encoder))
    _check_any_size(network, f"smp:{variant}")
    return BuiltNetwork(network, path.name if path else fetched or "random weights")


def _imported(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} is not installed; pip install 'napari-active-seg[encoders]'"
        ) from error


_BUILDERS: dict[str, Callable[[str, int, str], BuiltNetwork]] = {
    "fast": _fast,
    "unet": _unet,
    "dcan": _dcan,
    "deeplabv3plus": _deeplab_v3plus,
    "deeplabv2": _deeplab_v2,
    "smp": _smp,
}
