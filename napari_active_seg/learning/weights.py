"""Weights to start from: a file at hand, a download where there is a network, or none.

A refused download is reported within two seconds, with the name of the file and where to put it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import ModelError

__all__ = [
    "KnownWeights",
    "StartingWeights",
    "fill_encoder",
    "fill_features",
    "starting_weights",
    "weights_folder",
]

_log = logging.getLogger(__name__)
_FOLDER_VARIABLE = "NAPARI_ACTIVE_SEG_WEIGHTS"
_PATIENCE_S = 1.5
_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
#: Parameters of classifiers, which an encoder has no place for.
_CLASSIFIER = re.compile(r"^(fc|head|classifier|last_linear|attnpool)\.")
_WRAPPERS = ("module.", "encoder.", "backbone.")


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """A file of weights that is published: its name on the disk, and where it is fetched."""

    file: str
    url: str


@dataclass(frozen=True, slots=True)
class StartingWeights:
    """A file to start from, or None for random weights, and what to call it."""

    path: Path | None
    origin: str


def weights_folder() -> Path:
    """Return the folder where files of weights are looked for and kept."""
    chosen = os.environ.get(_FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "napari-active-seg" / "weights"


def starting_weights(choice: str, known: KnownWeights | None, network: str) -> StartingWeights:
    """Return where to start: ``choice`` is "pretrained", "random" or the path of a file."""
    if choice == "random":
        return StartingWeights(None, "random weights")
    if choice != "pretrained":
        path = Path(choice).expanduser()
        if not path.is_file():
            raise ModelError(f"no file of weights {choice}; give a path that exists")
        return StartingWeights(path, path.name)
    if known is None:
        raise ModelError(
            f"no weights are published for {network}; give a file "
            "(setting weights_file), or train from scratch (--init scratch)"
        )
    path = weights_folder() / known.file
    if not path.is_file():
        _download(known, path, network)
    return StartingWeights(path, known.file)


def fill_encoder(encoder: nn.Module, path: Path) -> None:
    """Load the weights in ``path`` into ``encoder``; a classifier's are left out.

    ModelError where the file is damaged or belongs to another network.
    """
    stored = _read(path)
    wanted = encoder.state_dict()
    stored = _unwrap(stored, wanted)
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in stored and name not in counters]
    foreign = [name for name in stored if name not in wanted and not _CLASSIFIER.match(name)]
    unlike = [n for n in stored if n in wanted and stored[n].shape != wanted[n].shape]
    if missing or foreign or unlike:
        first = (missing + foreign + unlike)[0]
        raise ModelError(
            f"{path.name} holds weights of another network: {len(missing)} parameters are missing, "
            f"{len(foreign)} unknown, {len(unlike)} of another shape (the first is {first}); "
            "choose the file that belongs to this encoder"
        )
    encoder.load_state_dict({n: v for n, v in stored.items() if n in wanted}, strict=False)


def fill_features(network: nn.Module, path: Path, names: Mapping[str, str]) -> None:
    """Load what fits of a published classifier; its last layer is left as it is.

    ``names`` are beginnings of names in the file and ours. ModelError where anything else differs.
    """
    stored = {_rename(name, names): value for name, value in _read(path).items()}
    wanted = network.state_dict()
    last = [name.rpartition(".")[0] for name in wanted][-1]
    fitting = {n: v for n, v in stored.items() if n in wanted and v.shape == wanted[n].shape}
    missing = [n for n in wanted if n not in fitting and not n.startswith(f"{last}.")]
    if missing:
        raise ModelError(
            f"{path.name} holds weights of another network: {len(missing)} parameters are missing "
            f"or of another shape (the first is {missing[0]})"
        )
    kept = {n: v for n, v in fitting.items() if not n.startswith(f"{last}.")}
    network.load_state_dict(kept, strict=False)


def _rename(name: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _unwrap(stored: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``stored`` without a prefix that all of its names share with no name wanted."""
    for prefix in _WRAPPERS:
        named = {n.removeprefix(prefix): v for n, v in stored.items() if n.startswith(prefix)}
        if len(named.keys() & wanted.keys()) > len(stored.keys() & wanted.keys()):
            stored = named
    return stored


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        # Only tensors and plain containers are let through: no code can run.
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, safetensors.SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"the file {path} is damaged ({error}); download it again") from error
    except Exception as error:  # what the restricted reader raises has no class of its own
        if "weights_only" not in str(error):
            raise
        raise ModelError(
            f"{path} holds more than weights and is not opened, since it could run code; "
            "save its state_dict as .safetensors"
        ) from error
    inner = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(inner, dict) or not all(isinstance(v, Tensor) for v in inner.values()):
        raise ModelError(f"{path} holds no state_dict; save the network's state_dict alone")
    return inner


def check_reachable(url: str, *, file: str, network: str) -> None:
    """Raise ModelError within two seconds where ``url`` cannot be reached."""
    reason = (
        "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") == "1" else _unreachable(url)
    )
    if reason is None:
        return
    raise ModelError(
        f"the weights of {network} are not here and cannot be fetched ({reason}). Get {file} "
        f"from {url} and put it into {weights_folder()}, or train from scratch "
        "('start from' in the window, --init scratch on the command line)"
    )


def _unreachable(url: str) -> str | None:
    """Return why ``url`` does not answer; the look-up of its name has no time limit of its own."""
    answer: list[str | None] = []

    def query() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=_PATIENCE_S):
                answer.append(None)
        except (OSError, ValueError) as error:
            answer.append(str(getattr(error, "reason", error)) or type(error).__name__)

    thread = threading.Thread(target=query, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S + 0.3)
    return answer[0] if answer else "no answer"


def _download(known: KnownWeights, path: Path, network: str) -> None:
    """Fetch a file whole or not at all."""
    check_reachable(known.url, file=known.file, network=network)
    _log.info("fetching %s", known.url)
    try:
        with atomic_write(path) as begun:
            digest = hashlib.sha256()
            with (
                urllib.request.urlopen(known.url, timeout=30) as source,
                begun.open("wb") as target,
            ):
                while block := source.read(1 << 20):
                    digest.update(block)
                    target.write(block)
            named = re.search(r"-([0-9a-f]{8})\.pth$", known.file)
            if named and not digest.hexdigest().startswith(named[1]):
                raise ModelError(f"{known.url} came damaged; try again")
    except OSError as error:
        raise ModelError(
            f"{known.file} could not be fetched ({error}); get it from {known.url} and put it into "
            f"{path.parent}"
        ) from error


def local_file(stem: str) -> Path | None:
    """Return the file called ``stem`` with any known ending in the folder of weights."""
    for ending in _ENDINGS:
        path = weights_folder() / f"{stem}{ending}"
        if path.is_file():
            return path
    return None
