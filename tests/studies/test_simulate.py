import csv
import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from fakes import FakeSegmenters
from tiny_data import write_pool

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.studies import StudySettings, arms_for, simulate
from napari_active_seg.studies.datasets import PreparedData
from napari_active_seg.studies.segmentation.arm import ArmRun, StartRun
from napari_active_seg.studies.segmentation.run_base import StudyContext
from napari_active_seg.studies.segmentation.summary import cost_of

ROOT = Path(__file__).parents[2]


def open_fake(folder):
    return Session(Project.open(folder), FakeSegmenters(), InlineRunner())


def quiet(*_):
    pass


@pytest.fixture
def study(tmp_path):
    train = write_pool(tmp_path / "train", 4)
    test = write_pool(tmp_path / "test", 2, first=50)

    def make(strategies=("uncertain-regions",), beside=None, measure=None, **more):
        given = {
            "name": "tiny",
            "size": 24,
            "start": {"regions": 3},
            "batch": "2",
            "rounds": 2,
            "settings": {"samples": 3},
            "reference": False,
            **more,
        }
        given.setdefault("arms", arms_for(strategies, beside=beside, measure=measure))
        return StudySettings.parse(
            data={
                "images": train / "images",
                "masks": train / "masks",
                "test_images": test / "images",
                "test_masks": test / "masks",
                "classes": ("background", "object"),
            },
            **given,
        )

    return make


def run(study, out):
    return simulate(study, out, open_fake, on_progress=quiet)


def test_every_round_counts_labels_and_is_measured(study, tmp_path):
    records = run(study(), tmp_path / "out")
    assert [r.regions for r in records] == [3, 5, 7]
    assert [r.labelled_pixels for r in records] == [n * 24 * 24 for n in (3, 5, 7)]
    assert records[0].labelled_share == pytest.approx(3 * 576 / (4 * 96 * 128))
    assert all(r.scores["mean_dice"] > 0.8 for r in records)
    assert all(r.clicks >= r.regions and r.seconds > 0 for r in records)
    pixels = 2 * 96 * 128
    assert all(sum(row[2] for row in r.reliability) == pixels for r in records)
    assert [sum(r.selected) for r in records] == [0, 2 * 576, 2 * 576]
    assert records[1].bound > 0 and records[1].measure == "bald"


def test_files_hold_what_was_measured(study, tmp_path):
    records = run(study(reference=True), tmp_path / "out")
    with (tmp_path / "out" / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["mean_dice"]) for r in rows] == [r.scores["mean_dice"] for r in records]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    again = StudySettings.parse(**results["settings"]).model_dump(exclude={"data"})
    assert again == study(reference=True).model_dump(exclude={"data"})
    assert str(tmp_path) not in (tmp_path / "out" / "results.json").read_text()
    timed = [json.loads(line)["seconds"] for path in (tmp_path / "out").rglob("timings.jsonl")
             for line in path.read_text().splitlines()]  # fmt: skip
    assert results["seconds of a seed"] == {"0": round(sum(timed))}
    parts = {p.relative_to(tmp_path / "out").parts[0] for p in tmp_path.rglob("timings.jsonl")}
    assert parts == {"starts", "arms", "references"}
    full = results["summary"]["uncertain-regions"]["all labels"]
    assert full["mean"] == records[0].scores["mean_dice"] and records[0].arm == "all labels"
    assert records[0].labelled_share == 1
    page = (tmp_path / "out" / "report.html").read_text()
    pictures = sorted((tmp_path / "out" / "figures").glob("*.png"))
    assert len(pictures) == page.count("data:image/png;base64") > 4
    assert pictures[0].name == "01-mean-dice-on-the-test-images.png"
    assert "What was selected" in page and "95% of all labels" in page


def test_arms_of_one_network_share_the_reference_whatever_else_they_learn_from(study, tmp_path):
    plain = {"name": "plain", "strategy": "uncertain-regions"}
    ways = (
        {**plain, "name": "more", "keeps": 2, "settings": {"semi_supervised": "consistency"}},
        plain,
        {**plain, "name": "other", "settings": {"preset": "fast"}},
    )
    records = run(study(arms=ways, rounds=0, reference=True), tmp_path / "out")
    found = list((tmp_path / "out" / "references").glob("*/seed-0/project"))
    assert sorted(len(Project.open(p, read_only=True).images.all()) for p in found) == [4, 4]
    assert {Project.open(p, read_only=True).config.training.semi_supervised for p in found} == {
        "off"
    }
    family = {r.arm: r.family for r in records if r.arm != "all labels"}
    assert family["plain"] == family["more"] != family["other"]
    assert {r.family for r in records if r.arm == "all labels"} == set(family.values())


def test_what_is_drawn_of_the_data_is_the_same_for_each_seed_in_any_order(study, tmp_path):
    asked = study(seeds=(0, 1), rounds=0)
    asked = asked.model_copy(
        update={"data": asked.data.model_copy(update={"copies": 1, "most_train": 3})}
    )
    both = run(asked, tmp_path / "out")
    drawn = {image.id for image in PreparedData.open(tmp_path / "out" / "data").part("train")}
    assert len(drawn) == 3 and any("_copy" in name for name in drawn)
    again = run(asked.model_copy(update={"seeds": (1,)}), tmp_path / "out")  # no other data
    alone = run(asked.model_copy(update={"seeds": (1,)}), tmp_path / "alone")
    assert again == alone == tuple(record for record in both if record.seed == 1)


def test_arms_that_learn_from_images_without_labels_are_run_first(study, tmp_path):
    plain = {"name": "plain", "strategy": "random-regions"}
    learned = {**plain, "name": "learned", "settings": {"semi_supervised": "consistency"}}
    began = []
    asked = study(arms=(plain, learned), rounds=1, seeds=(0, 1))
    records = simulate(
        asked, tmp_path / "out", open_fake, on_progress=lambda *told: began.append(told[-1])
    )
    rounds = [words.split(":")[0] for words in began if "round 1" in words]
    assert rounds == ["learned, seed 0", "plain, seed 0", "learned, seed 1", "plain, seed 1"]
    assert list(dict.fromkeys(r.arm for r in records)) == ["plain", "learned"]


def test_arms_share_start_and_first_model(study, tmp_path):
    records = run(study(beside="foreground-regions", rounds=1), tmp_path / "out")
    assert [(r.arm, r.round) for r in records] == [
        ("uncertain-regions", 0),
        ("uncertain-regions", 1),
        ("foreground-regions", 0),
        ("foreground-regions", 1),
    ]
    assert records[0].scores == records[2].scores and records[1].scores != records[3].scores
    assert len(list((tmp_path / "out" / "starts").glob("*/seed-*"))) == 1
    models = [
        Project.open(p, read_only=True).models.all()[0].id
        for p in (tmp_path / "out" / "arms").glob("*/seed-0/project")
    ]
    assert len(set(models)) == 1


def test_whole_images_are_asked_beside_whole_images(study, tmp_path):
    whole = study(("whole-images",), beside="foreground-regions", batch="1", start={"images": 1})
    records = run(whole, tmp_path / "out")
    assert [r.labelled_pixels // (96 * 128) for r in records] == [1, 2, 3, 1, 2, 3]
    assert [r.images for r in records] == [1, 2, 3, 1, 2, 3]


def test_same_seed_gives_the_same_result_and_another_seed_another(study, tmp_path):
    runs = [run(study(seeds=(seed,)), tmp_path / str(i)) for i, seed in enumerate((4, 4, 5))]
    assert runs[0] == runs[1]
    assert [r.scores for r in runs[0]] != [r.scores for r in runs[2]]


def test_seeds_of_one_study_are_those_of_studies_of_their_own(study, tmp_path):
    both = run(study(seeds=(4, 5)), tmp_path / "both")
    alone = run(study(seeds=(5,)), tmp_path / "alone")
    assert tuple(r for r in both if r.seed == 5) == alone


def test_propose_on_the_desk_chooses_what_the_study_chose(study, tmp_path):
    run(study(rounds=1), tmp_path / "out")
    (start,) = (tmp_path / "out" / "starts").glob("*/seed-0/project")
    session = open_fake(start)
    faithful = {"control": 0.0, "validation": 0.0, "per_image_share": 0.0}
    session.proposals.propose(strategy="uncertain-regions", size=24, count=2, **faithful)
    by_hand = [q.region for q in session.state.queue if q.state is RegionState.PROPOSED]
    session.close()
    arm = tmp_path / "out" / "arms" / "uncertain-regions" / "seed-0" / "project"
    with Project.open(arm, read_only=True) as project:
        chosen = [q.region for q in project.regions.queue() if q.round == 2]
    assert by_hand == chosen and len(chosen) == 2


def test_studies_ask_strategies_without_a_limit_for_images_unless_an_arm_says_so(study, tmp_path):
    arms = [{"name": name, "strategy": "uncertain-regions"} for name in ("plain", "limited")]
    arms[1]["parts"] = {"per_image_share": 0.25}
    asked = []

    def open_noting(folder):
        session = open_fake(folder)
        propose = session.proposals.propose

        def noted(strategy=None, per_image_share=None, **options):
            share = per_image_share if isinstance(strategy, str) else strategy.per_image_share
            asked.append(share)
            propose(strategy=strategy, per_image_share=per_image_share, **options)

        session.proposals.propose = noted
        return session

    simulate(study(rounds=1, arms=arms), tmp_path / "out", open_noting, on_progress=quiet)
    assert sorted(asked) == [0.0, 0.0, 0.25]  # the start, and a round of each arm


@pytest.mark.parametrize("step", ["propose", "answer", "train", "measure"])
def test_a_study_that_was_stopped_anywhere_ends_as_if_it_was_not(study, tmp_path, step):
    whole = run(study(), tmp_path / "whole")
    calls = {"propose": 0, "answer": 0, "train": 0, "measure": 0}

    class Killed(BaseException):
        pass

    def count(name):
        calls[name] += 1
        if name == step and calls[name] == 2:
            raise Killed

    def open_counting(folder):
        session = open_fake(folder)
        for name, verb in (("train", "train"), ("measure", "evaluate")):
            setattr(session, verb, counted(getattr(session, verb), name))
        session.proposals.propose = counted(session.proposals.propose, "propose")
        session.labels.answer_from = counted(session.labels.answer_from, "answer")
        return session

    def counted(verb, name):
        def wrapped(*args, **kwargs):
            result = verb(*args, **kwargs)  # what it did is on the disk; then comes the end
            count(name)
            return result

        return wrapped

    out = tmp_path / "stopped"
    with pytest.raises(Killed):
        simulate(study(), out, open_counting, on_progress=quiet)
    assert run(study(), out) == whole


def test_more_seeds_and_arms_are_added_and_nothing_runs_twice(study, tmp_path):
    out = tmp_path / "out"
    first = run(study(), out)
    began = (out / "arms/uncertain-regions/seed-0/rounds.jsonl").read_bytes()
    more = run(study(("uncertain-regions", "random-regions"), seeds=(0, 1)), out)
    assert tuple(r for r in more if r.arm == "uncertain-regions" and r.seed == 0) == first
    assert (out / "arms/uncertain-regions/seed-0/rounds.jsonl").read_bytes() == began
    assert len(more) == 4 * 3
    with pytest.raises(BadInputError, match="batch"):
        run(study(batch="3"), out)
    with pytest.raises(BadInputError, match="arm uncertain-regions"):
        run(study(measure="entropy"), out)


def test_a_study_goes_on_elsewhere_from_what_was_kept_of_it(study, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import keep_study

    out, opened = tmp_path / "out", []
    first = run(study(reference=True, maps=True), out)
    keep_study.keep_with_rounds(out, tmp_path / "kept")
    kept = [p for p in (tmp_path / "kept" / "study").rglob("*") if p.is_file()]
    names = ["choice.json", "map.json", "results.json", *["rounds.jsonl"] * 2]
    assert sorted(p.name for p in kept) == [*names, "study.json", *["timings.jsonl"] * 3]
    assert not any(str(tmp_path) in p.read_text() for p in kept)
    whole, told = ((one / "report.md").read_text() for one in (out, tmp_path / "kept"))
    assert "What was selected" in whole and "What was selected" not in told
    curves = (tmp_path / "kept" / "curves.csv").read_bytes()
    assert curves == (out / "curves.csv").read_bytes()
    keep_study.keep_with_rounds(tmp_path / "kept" / "study", tmp_path / "kept")  # and once more
    assert (tmp_path / "kept" / "report.md").read_text() == told
    other = StudySettings.read(out / "study.json").model_copy(update={"seeds": (5,)})
    (out / "study.json").write_text(other.as_json())  # of what ran last; 0 was reported last
    keep_study.keep_with_rounds(out, tmp_path / "kept")
    assert (tmp_path / "kept" / "report.md").read_text() == told
    first_settings = study(reference=True, maps=True)
    (out / "study.json").write_text(first_settings.as_json())
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "kept" / "study", elsewhere)

    def open_noting(folder):
        opened.append(folder.parent.name)
        return open_fake(folder)

    both = study(reference=True, maps=True, seeds=(0, 1))
    more = simulate(both, elsewhere, open_noting, on_progress=quiet)
    assert set(opened) == {"seed-1"}
    assert tuple(r for r in more if r.seed == 0) == first
    assert more == run(both, out)


def test_a_budget_in_clicks_is_spent_as_the_annotator_clicks(study, tmp_path):
    records = run(
        study(batch="30clicks", start={"clicks": 20}, axis="clicks", annotator={"tolerance": 2.0}),
        tmp_path / "out",
    )
    costs = [cost_of(record, "clicks") for record in records]
    assert costs[0] >= 20
    steps = [b - a for a, b in pairwise(costs)]
    assert all(30 <= step < 30 + 60 for step in steps)


def test_minutes_and_pixels_are_budgets_too(study, tmp_path):
    minutes = run(study(batch="1min"), tmp_path / "minutes")
    assert all(b.seconds - a.seconds >= 60 for a, b in pairwise(minutes))
    pixels = run(study(batch="2000px"), tmp_path / "pixels")
    assert [r.labelled_pixels for r in pixels] == [3 * 576, 6 * 576, 9 * 576]


def test_a_start_is_as_many_regions_as_its_pixels_pay_for(study, tmp_path):
    pixels = 4 * 24 * 24 + 100  # the last hundred pay for no other
    records = run(study(start={"pixels": pixels}), tmp_path / "out")
    assert (records[0].regions, records[0].labelled_pixels) == (4, 4 * 24 * 24)


def test_an_annotator_with_a_tolerance_never_shows_the_exact_mask(study, tmp_path):
    coarse = study(annotator={"tolerance": 4.0}, start={"images": 2}, rounds=0)
    run(coarse, tmp_path / "out")
    data = PreparedData.open(tmp_path / "out" / "data")
    bench = StudyContext(coarse, data, tmp_path / "out", open_fake)
    start = StartRun(bench, coarse.arms[0], 0)
    with Project.open(start.project, read_only=True) as project:
        labels = project.labels.done([ref.id for ref in project.images.all()])
    truth = data.truth("train")
    assert len(labels) == 2
    for label in labels:
        exact = truth.read_target(label.region)
        assert 0 < (label.target != exact).mean() < 0.05
        assert label.effort.clicks > 0 and label.annotator == "simulated"


def test_validation_is_labelled_and_counted_apart(study, tmp_path):
    records = run(study(validation=1, settings={"restarts": 2, "samples": 3}), tmp_path / "out")
    assert [r.validation_share for r in records] == pytest.approx([1 / 3] * 3)
    assert records[0].labelled_share == pytest.approx(3 * 576 / (3 * 96 * 128))


def test_a_pool_that_is_used_up_ends_its_arm(study, tmp_path):
    whole = study(("random-images",), batch="2", start={"images": 1}, rounds=5)
    records = run(whole, tmp_path / "out")
    assert [r.images for r in records] == [1, 3, 4]
    assert run(whole, tmp_path / "out") == records


def test_every_second_image_in_time(study, tmp_path):
    thin = study(
        arms=[{"name": "thin", "strategy": "random-images", "keeps": 2}],
        batch="1",
        start={"images": 1},
        rounds=4,
    )
    records = run(thin, tmp_path / "out")
    assert [r.images for r in records] == [1, 2]


def test_an_ensemble_is_trained_anew_in_each_round(study, tmp_path):
    settings = {"uncertainty_from": "ensemble", "ensemble_size": 2, "samples": 3}
    run(study(settings=settings, rounds=1, keep_models=True), tmp_path / "out")
    folder = tmp_path / "out" / "arms" / "uncertain-regions" / "seed-0" / "project"
    with Project.open(folder, read_only=True) as project:
        models = project.models.all()
    assert [m.round for m in models] == [1, 1, 2, 2]
    assert len({m.seed for m in models}) == 2


def test_checkpoints_go_unless_they_are_wanted(study, tmp_path):
    for keep in (True, False):
        out = tmp_path / f"keep-{keep}"
        run(study(keep_models=keep), out)
        arm = ArmRun(
            StudyContext(study(), PreparedData.open(out / "data"), out, open_fake),
            study().arms[0],
            0,
        )
        models = list((arm.project / "models").glob("*.safetensors"))
        assert len(models) == (3 if keep else 1)


def test_bad_studies_are_refused(study, tmp_path):
    with pytest.raises(ConfigError, match="did you mean"):
        study(arms=[{"name": "a", "strategy": "random-region"}])
    with pytest.raises(ConfigError, match="rounds"):
        study(rounds=-1)
    with pytest.raises(ConfigError, match="start"):
        study(start={"regions": 2, "images": 3})
    with pytest.raises(ConfigError, match="names of their own"):
        study(("random-regions", "random-regions"))
    with pytest.raises(ConfigError, match="a budget is like"):
        study(batch="many")
    with pytest.raises(ConfigError, match="letters"):
        study(arms=[{"name": "../a", "strategy": "random-regions"}])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("")
    with pytest.raises(BadInputError, match="not empty"):
        run(study(), tmp_path / "out")
    (tmp_path / "test" / "masks" / "img50.png").unlink()
    with pytest.raises(BadInputError, match="no mask"):
        run(study(), tmp_path / "other")
