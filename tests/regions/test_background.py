import pytest

from napari_active_seg.regions import find_background


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (("background", "gland"), 0),
        (("lesion", "Skin"), 1),
        (("tumour", "stroma", "other"), 2),
        (("other", "back_ground", "background"), 2),  # the clearest name counts
        (("nucleus", "Healthy-skin"), 1),
        (("gland", "lumen"), 0),  # no name says it: the first
    ],
)
def test_background_is_found_by_its_name_else_it_is_the_first(names, index):
    assert find_background(names) == index
