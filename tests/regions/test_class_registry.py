import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.errors import SchemaError
from napari_active_seg.regions import UNLABELLED, ClassRegistry, LabelSchema


def book(*names):
    return ClassRegistry.new(LabelSchema.from_names(names or ("background", "gland", "lumen")))


def as_names(book, stored):
    """Return what stored uids mean, in words."""
    names = dict(enumerate(book.schema.names)) | {UNLABELLED: "-"}
    return [names[v] for v in book.to_target(np.asarray(stored, np.uint8)).tolist()]


def test_labels_keep_their_meaning_through_renaming_and_reordering():
    before = book()
    stored = before.to_stored(np.array([0, 1, 2, UNLABELLED], np.uint8))
    after = before.rename_class("gland", "crypt").recolour_class("lumen", "#000000")
    after = after.reorder_classes(["lumen", "background", "crypt"])
    assert as_names(after, stored) == ["background", "crypt", "lumen", "-"]
    assert after.schema.names == ("lumen", "background", "crypt")
    assert after.schema.colours[0] == "#000000"


def test_merged_class_counts_as_the_other_and_comes_back_with_the_old_book():
    before = book()
    stored = np.array([1, 2, 0], np.uint8)
    merged = before.merge_classes("lumen", "gland")
    assert as_names(merged, stored) == ["gland", "gland", "background"]
    repainted = merged.to_stored(np.array([1, 1, 1], np.uint8), stored)
    assert repainted.tolist() == [1, 2, 1]  # what was lumen stays lumen underneath
    assert as_names(before, repainted) == ["gland", "lumen", "gland"]


def test_merges_follow_each_other_and_numbers_are_never_given_twice():
    chain = book("a", "b", "c", "d").merge_classes("a", "b").merge_classes("b", "c")
    assert as_names(chain, [0, 1, 2, 3]) == ["c", "c", "c", "d"]
    grown = chain.add_class("e")
    assert grown.uids == (2, 3, 4)
    assert as_names(chain, [4]) == ["-"]  # undone: nobody claims it, it is not labelled
    assert as_names(grown, [4]) == ["e"]


def test_changes_that_make_no_sense_are_refused_by_name():
    with pytest.raises(SchemaError, match="did you mean 'gland'"):
        book().rename_class("glnd", "x")
    with pytest.raises(SchemaError, match="twice"):
        book().rename_class("gland", "lumen")
    with pytest.raises(SchemaError, match="names each class once"):
        book().reorder_classes(["gland", "lumen"])
    with pytest.raises(SchemaError, match="into itself"):
        book().merge_classes("gland", "gland")
    with pytest.raises(SchemaError, match="2 to 255 classes"):
        book("a", "b").merge_classes("a", "b")
    with pytest.raises(SchemaError, match="#rrggbb"):
        book().recolour_class("gland", "red")
    full = ClassRegistry(book().schema, (0, 1, 2), (), UNLABELLED)
    with pytest.raises(SchemaError, match="used up"):
        full.add_class("one more")


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 1000))
def test_any_history_of_changes_keeps_every_label(changes, seed):
    rng = np.random.default_rng(seed)
    now, meaning = book("a", "b", "c"), {0: "a", 1: "b", 2: "c"}
    for number, change in enumerate(changes):
        names = now.schema.names
        one, other = (names[k] for k in rng.choice(len(names), 2, replace=False))
        if change == 0:
            meaning[now.next_uid] = f"n{number}"
            now = now.add_class(f"n{number}")
        elif change == 1:
            now = now.rename_class(one, f"r{number}")
            meaning = {k: f"r{number}" if v == one else v for k, v in meaning.items()}
        elif change == 2:
            now = now.reorder_classes(list(rng.permutation(names)))
        elif change == 3 and len(names) > 2:
            now = now.merge_classes(one, other)
            meaning = {k: other if v == one else v for k, v in meaning.items()}
        assert as_names(now, sorted(meaning)) == [meaning[k] for k in sorted(meaning)]
        target = now.to_target(np.array(sorted(meaning), np.uint8))
        assert (now.to_target(now.to_stored(target)) == target).all()
