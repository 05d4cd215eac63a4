import pytest

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.notebook import show_figures, show_image, show_project


def test_cells_show_the_project_and_an_image(session, pool):
    with pytest.raises(NothingToDoError, match=r"session.predict\(\)"):
        show_image(session, "img0.png")
    with pytest.raises(NothingToDoError, match="measured"):
        show_figures(session)
    session.proposals.propose(count=3, size=24)
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    session.predict()
    cell = show_image(session, "img0.png", measure="entropy")._repr_html_()
    assert cell.count("data:image/jpeg;base64,") == 2
    assert "Predictive entropy" in cell
    assert "m001" in show_project(session)._repr_html_()
    figures = show_figures(session)._repr_html_()
    assert "Reliability of the first model" in figures and "figure 4" in figures
