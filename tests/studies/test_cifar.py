import pickle

import numpy as np
import pytest

from napari_active_seg.errors import ImageError
from napari_active_seg.studies.classification.cifar import read_cifar
from napari_active_seg.studies.classification.restricted_pickle import plain_values


def pictures(count, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3072), np.uint8), rng.integers(0, 10, count, np.uint8)


def write(root, classes, kind):
    """Write a tiny CIFAR as its makers did, and return what it holds."""
    root.mkdir()
    names = [f"data_batch_{k}" for k in range(1, 6)] if classes == 10 else ["train"]
    tests = ["test_batch"] if classes == 10 else ["test"]
    found = {}
    for number, name in enumerate([*names, *tests]):
        data, labels = pictures(4, number)
        labels = labels if classes == 10 else labels + 50
        found[name] = data, labels
        if kind == "binary":
            columns = [labels[:, None], data]
            if classes == 100:
                columns.insert(0, labels[:, None] // 5)
            (root / f"{name}.bin").write_bytes(np.concatenate(columns, 1).tobytes())
            continue
        key = b"labels" if classes == 10 else b"fine_labels"
        content = {b"data": data, key: labels.tolist(), b"batch_label": name.encode()}
        protocol = 2 if kind == "python" else 4
        (root / name).write_bytes(pickle.dumps(content, protocol=protocol))
    return [found[n] for n in names], [found[n] for n in tests]


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("kind", ["binary", "python", "newer python"])
def test_official_files_are_read(tmp_path, classes, kind):
    train, test = write(tmp_path / "cifar", classes, kind)
    pool = read_cifar(tmp_path / "cifar", classes=classes)
    assert pool.shape == (32, 32, 3) and len(pool.classes) == classes
    assert (pool.labels == np.concatenate([labels for _, labels in train])).all()
    assert (pool.test_labels == test[0][1]).all()
    first = train[0][0][0].reshape(3, 32, 32)
    assert (pool.images[0] == first.transpose(1, 2, 0)).all()


def test_study_opens_either_of_them(tmp_path):
    from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
    from napari_active_seg.studies.classification.runner import open_pool

    write(tmp_path / "cifar", 10, "binary")
    asked = ClassificationStudy.parse(
        name="c",
        title="Tiny",
        dataset="cifar10",
        root=tmp_path / "cifar",
        test=2,
        arms=(ClassificationArm(name="random", measure="random"),),
    )
    pool = open_pool(asked)
    assert len(pool.labels) == 20 and len(pool.test_labels) == 2


def test_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    class Bad:
        def __reduce__(self):
            return (__import__("os").mkdir, (str(tmp_path / "made"),))

    for protocol in (2, 4):
        with pytest.raises(ImageError, match="it names"):
            plain_values(pickle.dumps({b"data": Bad()}, protocol=protocol))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True], "b": (1, (2,)), "c": b"x" * 300}])
def test_plain_values_come_as_they_were(value):
    for protocol in (2, 3, 4):
        assert plain_values(pickle.dumps(value, protocol=protocol)) == value


def test_damaged_and_missing_files_are_named(tmp_path):
    with pytest.raises(ImageError, match="data_batch_1 is not in"):
        read_cifar(tmp_path, classes=10)
    (tmp_path / "data_batch_1.bin").write_bytes(b"1234")
    with pytest.raises(ImageError, match="records of 3073 bytes"):
        read_cifar(tmp_path, classes=10)
    (tmp_path / "data_batch_1.bin").unlink()
    (tmp_path / "train").write_bytes(b"\x80\x02}q\x00")
    with pytest.raises(ImageError):
        read_cifar(tmp_path, classes=100)
