"""One tab a module: a panel draws the state and calls verbs, nothing else."""

from napari_active_seg.gui.annotate.actions import AnnotateActions
from napari_active_seg.gui.panels.annotate import AnnotatePanel
from napari_active_seg.gui.panels.base import Panel
from napari_active_seg.gui.panels.export import ExportPanel
from napari_active_seg.gui.panels.project import ProjectPanel
from napari_active_seg.gui.panels.propose import ProposePanel
from napari_active_seg.gui.panels.train import TrainPanel
from napari_active_seg.gui.panels.trust import TrustPanel

__all__ = ["PANELS", "AnnotateActions", "Panel", "ProjectPanel"]

#: The tabs, in the order of the work.
PANELS: tuple[type[Panel], ...] = (
    ProjectPanel,
    ProposePanel,
    AnnotatePanel,
    TrainPanel,
    TrustPanel,
    ExportPanel,
)
