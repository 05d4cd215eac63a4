"""The public Python API, and the one place where all parts are put together.

The only module that imports both the session and what trains networks; Qt, napari and torch load
when they are first needed.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from napari_active_seg.acquisition import CostExample, FittedCost
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.jobs import InlineRunner, ProcessRunner, Runner, ThreadRunner
from napari_active_seg.models.image_classifier import Classifier
from napari_active_seg.models.image_head import HeadExamples, ImagePredictions
from napari_active_seg.models.interactive import InteractiveSegmenter, registered_click_helpers
from napari_active_seg.models.preset_names import AUTO, preset_names
from napari_active_seg.models.segmenter import Segmenter, SegmenterFactory
from napari_active_seg.models.torch_libraries import load_torch_libraries
from napari_active_seg.notebook.progress import NotebookProgress, in_notebook
from napari_active_seg.project import Project
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import (
    CreatedProject,
    FolderReport,
    ImageSettings,
    create_project,
    inspect_folder,
)

__all__ = [
    "DesktopTools",
    "ImageNetworks",
    "LazySegmenters",
    "create_project",
    "open_session",
    "write_sample_project",
]

_SAMPLE_IMAGES = 5


class ImageNetworks:
    """Networks for whole images on one device; torch loads when the first is needed."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device

    def build(
        self,
        network: str,
        *,
        shape: tuple[int, int, int],
        n_classes: int,
        seed: int,
        weights: str = "random",
    ) -> Classifier:
        """Return an untrained network for images (H, W, channels)."""
        from napari_active_seg.learning.classification import build_classifier

        return build_classifier(
            network,
            shape=shape,
            n_classes=n_classes,
            seed=seed,
            weights=weights,
            device=self._device,
        )

    def fit_cost(
        self, examples: Sequence[CostExample], *, seed: int, check_cancelled: Callable[[], None]
    ) -> FittedCost:
        """Return what tells the cost of further views, and of each example unseen."""
        from napari_active_seg.learning.cost_network import fit_cost_network

        return fit_cost_network(examples, seed=seed, check_cancelled=check_cancelled)


def open_session(
    folder: Path | str,
    *,
    device: str = "auto",
    in_background: bool = False,
    read_only: bool = False,
    take_over: bool = False,
) -> Session:
    """Return a session of the project in ``folder``; close it when you are done.

    One session at a time may write: ProjectHeldError says who does. ``read_only`` opens it
    nevertheless; ``take_over`` is for a holder that is gone for certain.

    ``in_background`` runs jobs in a thread, as the desktop does, or in a process of their own where
    the project says so, and predicts the image on screen by itself; otherwise each verb has ended
    when it returns, and ``wait`` raises its error.
    """
    project = Project.open(Path(folder), read_only=read_only, take_over=take_over)
    runner: Runner = InlineRunner()
    if in_background:
        runner = ProcessRunner() if project.config.worker == "process" else ThreadRunner()
    segmenters = LazySegmenters(device, beside_a_window=in_background)
    try:
        session = Session(project, segmenters, runner, follows_screen=in_background)
        if in_notebook() and not in_background:
            NotebookProgress(session)
        return session
    except BaseException:
        runner.close()
        project.close()
        raise


class LazySegmenters:
    """A SegmenterFactory that loads torch at the first model, so that the rest starts fast."""

    def __init__(self, device: str = "auto", *, beside_a_window: bool = False) -> None:
        self._device = device
        self._beside_a_window = beside_a_window

    def __reduce__(self) -> tuple[Callable[..., LazySegmenters], tuple[str, bool]]:
        """Cross to another process without what was loaded."""
        return _segmenters, (self._device, self._beside_a_window)

    @cached_property
    def _factory(self) -> SegmenterFactory:
        loads_torch = "torch" not in sys.modules
        if self._beside_a_window:
            load_torch_libraries()
        from napari_active_seg.learning import TorchSegmenterFactory

        if self._beside_a_window and loads_torch:
            gc.freeze()  # torch's modules stay: a collection would look at them for half a second
        return TorchSegmenterFactory(self._device, beside_a_window=self._beside_a_window)

    def build(
        self, preset: str, *, classes: tuple[str, ...], seed: int, weights: str = "pretrained"
    ) -> Segmenter:
        """Return an untrained segmenter."""
        return self._factory.build(preset, classes=classes, seed=seed, weights=weights)

    def candidates(self) -> tuple[str, ...]:
        """Return presets that suit the device, the best first."""
        return self._factory.candidates()

    def load(
        self, path: Path, *, classes: tuple[str, ...], outputs: tuple[int, ...] | None = None
    ) -> Segmenter:
        """Return the segmenter of a checkpoint."""
        return self._factory.load(path, classes=classes, outputs=outputs)

    def free_memory(self) -> None:
        """Give back what the device keeps for the next time."""
        if "_factory" in self.__dict__:
            self._factory.free_memory()

    def fit_cost(
        self,
        examples: Sequence[CostExample],
        *,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> FittedCost:
        """Return what tells the cost of further views, and of each example unseen."""
        return self._factory.fit_cost(examples, seed=seed, check_cancelled=check_cancelled)

    def fit_head(
        self, examples: HeadExamples, seed: int, check_cancelled: Callable[[], None]
    ) -> ImagePredictions:
        """Return what tells the class of images from what a network sees of them."""
        return self._factory.fit_head(examples, seed, check_cancelled)

    def ensemble(self, members: Sequence[Segmenter]) -> Segmenter:
        """Return a segmenter whose passes are those of all members."""
        return self._factory.ensemble(members)


def _segmenters(device: str, beside_a_window: bool) -> LazySegmenters:
    return LazySegmenters(device, beside_a_window=beside_a_window)


def write_sample_project(
    name: str, folder: Path, *, on_image: Callable[[int, int], None] | None = None
) -> Path:
    """Draw a sample set below ``folder``, make a project of it, and return its folder."""
    sample_set = write_sample_set(name, folder, count=_SAMPLE_IMAGES, on_image=on_image)
    created = create_project(
        folder / f"{name}-project",
        images_dir=folder / "images",
        classes=sample_set.classes,
        masks_dir=folder / "masks",
    )
    return created.folder


class DesktopTools:
    """What the desktop uses of packages that it may not import."""

    def open_session(
        self, folder: Path, *, read_only: bool = False, take_over: bool = False
    ) -> Session:
        """Return a session that works in the background."""
        return open_session(folder, in_background=True, read_only=read_only, take_over=take_over)

    def create_project(
        self,
        folder: Path,
        *,
        images_dir: Path,
        classes: list[str],
        masks_dir: Path | None,
        find_masks: bool = True,
        settings: ImageSettings | None = None,
        on_file: Callable[[int, int], None] | None = None,
    ) -> CreatedProject:
        """Make a project."""
        return create_project(
            folder,
            images_dir=images_dir,
            classes=classes,
            masks_dir=masks_dir,
            find_masks=find_masks,
            settings=settings,
            on_file=on_file,
        )

    def inspect_folder(
        self, folder: Path, *, on_file: Callable[[int, int], None] | None = None
    ) -> FolderReport:
        """Say what is in a folder of images."""
        return inspect_folder(folder, on_file=on_file)

    def write_sample_project(
        self, name: str, folder: Path, *, on_image: Callable[[int, int], None] | None = None
    ) -> Path:
        """Make a project of drawn pictures below ``folder``."""
        return write_sample_project(name, folder, on_image=on_image)

    def load_click_helper(self, place: str) -> InteractiveSegmenter:
        """Return the registered helper of a name, or the SAM checkpoint in a folder."""
        registered = registered_click_helpers()
        if place in registered:
            return registered[place]()
        from napari_active_seg.learning import load_sam

        return load_sam(Path(place).expanduser())

    @property
    def preset_names(self) -> tuple[str, ...]:
        """Names of the networks that can be trained."""
        return (AUTO, *preset_names())
