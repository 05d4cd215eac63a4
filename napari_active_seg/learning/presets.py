"""Networks with the way that each is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_active_seg.learning.networks.registry import network_family
from napari_active_seg.learning.training.optimisation import OptimiserConfig
from napari_active_seg.models.training_options import TrainingOptions

__all__ = ["CANDIDATES", "PRESETS", "Preset", "get_preset"]


@dataclass(frozen=True, slots=True)
class Preset:
    """How to train the network called ``name``.

    ``batch`` counts crops, or pixels where the network is pixelwise (``crop`` is then 0).
    """

    name: str
    title: str
    n_steps: int
    batch: int
    crop: int
    learning_rate: float
    optimiser: str = "adamw"
    schedule: str = "one-cycle"
    weight_decay: float = 1e-4
    ema_decay: float = 0.0
    patience: int = 0

    def recipe(
        self, plan: TrainingOptions, *, per_epoch: int, on_gpu: bool, half: str
    ) -> OptimiserConfig:
        """Return the optimiser settings of ``plan``; the preset fills what it leaves open.

        ``half`` is the precision that ``auto`` stands for on a GPU.
        """
        n_steps = max(1, (plan.steps or self.n_steps) * plan.training_length // plan.shorter)
        if plan.epochs is not None:
            n_steps = plan.epochs * per_epoch
        precision: str = plan.training_precision
        if precision == "auto":
            precision = half if on_gpu else "float32"
        return OptimiserConfig(
            n_steps=n_steps,
            learning_rate=plan.learning_rate or self.learning_rate,
            optimiser=plan.optimiser or self.optimiser,
            schedule=plan.schedule or self.schedule,
            weight_decay=self.weight_decay,
            ema_decay=self.ema_decay if plan.ema_decay is None else plan.ema_decay,
            patience=self.patience if plan.patience is None else plan.patience,
            precision=precision,
        )

    def with_sizes(self, plan: TrainingOptions) -> Preset:
        """Return the preset with the batch and the crop of ``plan``.

        A pixelwise network has no crops, and its batch counts pixels.
        """
        if self.crop == 0:
            return self
        return replace(self, batch=plan.batch or self.batch, crop=plan.crop or self.crop)

    def smaller(self) -> Preset | None:
        """Return the preset with half the batch, then half the crop; None where it is smallest."""
        if self.batch > (256 if self.crop == 0 else 2):
            return replace(self, batch=self.batch // 2)
        if self.crop >= 64:
            return replace(self, crop=self.crop // 2)
        return None


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("fast", "Filter bank: seconds on a laptop", 150, 4096, 0, 1e-2),
        Preset("unet", "Small U-Net: a minute on a CPU", 260, 8, 128, 2e-3),
        Preset(
            "dcan",
            "DCAN: parts touching objects, for a GPU",
            3000,
            5,
            480,
            1e-3,
            optimiser="adam",
            schedule="constant",
            ema_decay=0.999,
            patience=10,
        ),
        Preset(
            "deeplabv3plus",
            "DeepLab v3+: for a GPU",
            3000,
            8,
            320,
            5e-4,
            schedule="cosine",
            patience=10,
        ),
        Preset(
            "deeplabv2",
            "DeepLab v2: for a GPU",
            3000,
            8,
            320,
            2.5e-4,
            schedule="cosine",
            patience=10,
        ),
    )
}
#: What ``auto`` chooses from, the best first: the first that fits into the time is taken.
CANDIDATES = {"cuda": ("deeplabv3plus", "unet", "fast"), "cpu": ("unet", "fast")}
#: Networks that are not ours, and pairs by name.
_OTHER = Preset("", "Another network", 1000, 8, 256, 1e-3, schedule="cosine", patience=10)


def get_preset(name: str) -> Preset:
    """Return how to train the network called ``name`` (``NAME`` or ``NAME:VARIANT``).

    Raises ConfigError with the known names.
    """
    return replace(PRESETS.get(network_family(name), _OTHER), name=name)
