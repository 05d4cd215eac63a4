from napari_active_seg.models.semi_supervised_advice import advise_on_unlabelled


def advice(**changes):
    usual = {"n_regions": 20, "n_classes": 2, "labelled_share": 0.02, "n_images": 50}
    return advise_on_unlabelled(**{**usual, **changes})


def test_unlabelled_images_wait_for_labels():
    assert advice().may_be_used
    assert "2.0% of the pool" in advice().summary
    for few in ({"n_regions": 7}, {"n_classes": 1}, {"n_images": 0}):
        assert not advice(**few).may_be_used
    assert "7 of 8 regions done" in advice(n_regions=7).summary
    assert "may help little" in advice(labelled_share=0.5).summary
