from napari_active_seg.studies.datasets.cache import PreparedImage
from napari_active_seg.studies.segmentation.splits import at_every, drawn_order, drawn_validation


def images(count, kinds=("benign", "malignant")):
    return [
        PreparedImage(f"{k}.png", "train", (4, 4), 16, "g", kinds[k % 3 % 2], k)
        for k in range(count)
    ]


def test_balanced_draws_take_turns():
    every = images(30)
    kinds = {image.id: image.kind for image in every}
    first = drawn_order(every, seed=0, balanced=True)[:10]
    assert sum(kinds[i] == "benign" for i in first) == 5
    assert len(set(drawn_order(every, seed=0, balanced=True))) == 30


def test_seeds_draw_differently_and_alike():
    every = images(30)
    orders = [drawn_order(every, seed=seed, balanced=False) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    aside = drawn_validation(every, 5, seed=0, balanced=False)
    assert len(aside) == 5 and aside != set(orders[0][:5])


def test_every_third_frame_in_time():
    assert at_every(images(7)[::-1], 3) == {"0.png", "3.png", "6.png"}
