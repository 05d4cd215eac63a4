"""The verb that says what images as a whole are."""

import csv
import json

import pytest
from tiny_lesions import N_LESIONS, write_lesions


@pytest.fixture
def truth(tmp_path):
    return write_lesions(tmp_path / "images")


@pytest.fixture
def folder(run, tmp_path, truth):
    code, _, _ = run(
        "init", tmp_path / "p", "--images", tmp_path / "images", "--classes", "skin,lesion"
    )
    assert code == 0
    return tmp_path / "p"


def write_table(path, truth, names):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image_id", "split", "diagnosis"))
        for name in names:
            writer.writerow((name.removesuffix(".png"), "train", truth[name]))
        writer.writerow(("i30", "train", ""))
        writer.writerow(("elsewhere", "train", "benign"))


def test_a_table_is_taken_images_are_asked_for_and_a_table_is_written(run, folder, truth, tmp_path):
    table, out = tmp_path / "index.csv", tmp_path / "out.csv"
    write_table(table, truth, sorted(truth)[:24])
    on_cpu = ("--device", "cpu")
    verb = ("image-classes", folder, *on_cpu)
    code, told, _ = run(
        *verb, "--classes", "benign,malignant", "--from", table, "--say", "i25.png=benign",
        "--ask", 4, "--out", out, "--json",
    )  # fmt: skip
    told = json.loads(told)
    assert code == 0 and told["said"] == {"benign": 19, "malignant": 6}
    assert len(told["asked"]) == 4 and told["waiting"] == 4
    assert told["note"] == "research use, not a diagnosis"
    assert "left out in turn" in told["second_head"]
    with out.open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert len(rows) == N_LESIONS and rows["i00.png"]["image_class"] == "malignant"
    assert rows["i30.png"]["image_class"] == ""
    asked = rows[told["asked"][0]["image"]]
    shares = [float(v) for k, v in asked.items() if k.startswith("second head")]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    code, said, _ = run(*verb)  # changes nothing, only tells
    assert code == 0 and "benign: 19" in said


def test_what_cannot_be_is_refused_with_the_way_out(run, folder, tmp_path):
    code, _, error = run("image-classes", folder, "--ask", 3, "--device", "cpu")
    assert code != 0 and "benign and malignant" in error
    code, _, error = run(
        "image-classes", folder, "--classes", "benign,malignant", "--say", "i00.png=malign",
        "--device", "cpu",
    )  # fmt: skip
    assert code != 0 and "did you mean" in error
    table = tmp_path / "other.csv"
    table.write_text("a,b\n1,2\n")
    code, _, error = run("image-classes", folder, "--from", table, "--device", "cpu")
    assert code != 0 and "needs a column" in error
    table.write_text("image,class\nnobody,benign\n")
    code, _, error = run("image-classes", folder, "--from", table, "--device", "cpu")
    assert code != 0 and "no image" in error
    table.write_text("image,class\ni00,benign\ni00.png,malignant\n")
    code, _, error = run("image-classes", folder, "--from", table, "--device", "cpu")
    assert code == 2 and "two classes for i00.png: benign, and malignant" in error
