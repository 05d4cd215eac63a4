"""Settings that both kinds of studies share: errors, files, and what may differ on resuming."""

import pytest

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.studies import ArmSettings, StartSettings, StudySettings
from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.studies.settings import CONFIG


def segmentation(**more):
    arms = (ArmSettings(name="one", strategy="random-images"),)
    given = {"name": "s", "data": {}, "start": StartSettings(images=1), "arms": arms}
    return StudySettings.parse(**(given | more))


def classification(**more):
    arms = (ClassificationArm(name="one", measure="bald"),)
    return ClassificationStudy.parse(**({"name": "c", "title": "C", "arms": arms} | more))


KINDS = pytest.mark.parametrize("study", [segmentation, classification])


@KINDS
def test_a_saved_study_is_read_again(study, tmp_path):
    study().save(tmp_path)
    assert type(study()).read(tmp_path / CONFIG) == study()
    for text in ("[]", "{"):
        (tmp_path / CONFIG).write_text(text)
        with pytest.raises(ConfigError, match="not a study file"):
            study().read(tmp_path / CONFIG)


@KINDS
def test_a_study_resumes_with_more_arms_seeds_and_rounds(study, tmp_path):
    study().save(tmp_path)
    more = study().arms[0].model_copy(update={"name": "two"})
    study(arms=(*study().arms, more), seeds=(0, 1), rounds=7, title="T").check_resumable(tmp_path)
    changed = study().arms[0].model_copy(update={"settings": {"samples": 3}, "passes": 3})
    with pytest.raises(BadInputError, match=r"other settings \(arm one\)"):
        study(arms=(changed,)).check_resumable(tmp_path)
    with pytest.raises(BadInputError, match=r"other settings \(validation\)"):
        study(validation=5).check_resumable(tmp_path)


@KINDS
def test_a_folder_of_something_else_is_not_used(study, tmp_path):
    study().check_resumable(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadInputError, match="not empty"):
        study().check_resumable(tmp_path)


@KINDS
def test_names_of_arms_and_seeds_must_differ(study):
    for wrong in ({"arms": study().arms * 2}, {"arms": ()}, {"seeds": (1, 1)}, {"seeds": ()}):
        with pytest.raises(ConfigError, match=r"names of their own|seeds must differ"):
            study(**wrong)


def test_data_may_lie_elsewhere(tmp_path):
    segmentation(data={"images": "a"}).save(tmp_path)
    segmentation(data={"images": "b"}).check_resumable(tmp_path)
    with pytest.raises(BadInputError, match=r"\(data\)"):
        segmentation(data={"images": "a", "seed": 1}).check_resumable(tmp_path)
