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
    after = before.renamed("gland", "crypt").recoloured("lumen", "#000000")
    after = after.reordered(["lumen", "background", "crypt"])
    assert as_names(after, stored) == ["background", "crypt", "lumen", "-"]
    assert after.schema.names == ("lumen", "background", "crypt")
    assert after.schema.colours[0] == "#000000"


def test_merged_class_counts_as_the_other_and_comes_back_with_the_old_book():
    before = book()
    stored = np.array([1, 2, 0], np.uint8)
    merged = before.merged_into("lumen", "gland")
    assert as_names(merged, stored) == ["gland", "gland", "background"]
    repainted = merged.to_stored(np.array([1, 1, 1], np.uint8), stored)
    assert repainted.tolist() == [1, 2, 1]  # what was lumen stays lumen underneath
    assert as_names(before, repainted) == ["gland", "lumen", "gland"]


def test_merges_follow_each_other_and_numbers_are_never_given_twice():
    chain = book("a", "b", "c", "d").merged_into("a", "b").merged_into("b", "c")
    assert as_names(chain, [0, 1, 2, 3]) == ["c", "c", "c", "d"]
    grown = chain.added("e")
    assert grown.uids == (2, 3, 4)
    assert as_names(chain, [4]) == ["-"]  # undone: nobody claims it, it is not labelled
    assert as_names(grown, [4]) == ["e"]


def test_changes_that_make_no_sense_are_refused_by_name():
    with pytest.raises(SchemaError, match="did you mean 'gland'"):
        book().renamed("glnd", "x")
    with pytest.raises(SchemaError, match="twice"):
        book().renamed("gland", "lumen")
    with pytest.raises(SchemaError, match="names each class once"):
        book().reordered(["gland", "lumen"])
    with pytest.raises(SchemaError, match="into itself"):
        book().merged_into("gland", "gland")
    with pytest.raises(SchemaError, match="2 to 255 classes"):
        book("a", "b").merged_into("a", "b")
    with pytest.raises(SchemaError, match="#rrggbb"):
        book().recoloured("gland", "red")
    full = ClassRegistry(book().schema, (0, 1, 2), (), UNLABELLED)
    with pytest.raises(SchemaError, match="used up"):
        full.added("one more")


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 1000))
def test_any_history_of_changes_keeps_every_label(changes, seed):
    rng = np.random.default_rng(seed)
    now, meaning = book("a", "b", "c"), {0: "a", 1: "b", 2: "c"}
    for number, change in enumerate(changes):
        names = now.schema.names
        one, other = (names[k] for k in rng.choice(len(names), 2, replace=False))
        if change == 0:
            meaning[now.next_uid] = f"n{number}"
            now = now.added(f"n{number}")
        elif change == 1:
            now = now.renamed(one, f"r{number}")
            meaning = {k: f"r{number}" if v == one else v for k, v in meaning.items()}
        elif change == 2:
            now = now.reordered(list(rng.permutation(names)))
        elif change == 3 and len(names) > 2:
            now = now.merged_into(one, other)
            meaning = {k: other if v == one else v for k, v in meaning.items()}
        assert as_names(now, sorted(meaning)) == [meaning[k] for k in sorted(meaning)]
        target = now.to_target(np.array(sorted(meaning), np.uint8))
        assert (now.to_target(now.to_stored(target)) == target).all()
