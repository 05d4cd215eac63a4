import json


def lap(run, made, pool):
    assert run("propose", made, "--count", 4, "--size", 32)[0] == 0
    assert run("label", made, "--from-masks", pool / "masks")[0] == 0
    assert run("train", made, "--epochs", 30)[0] == 0


def test_strategy_is_composed_on_the_line_and_its_notes_are_told(run, made, pool):
    lap(run, made, pool)
    code, out, _ = run(
        "propose", made, "--budget", "1min", "--size", 24, "--measure", "entropy",
        "--cost", "boundary", "--alpha", 1.5, "--beta", 0.5,
        "--set", "unit=crops", "--set", "diversity=power", "--set", "per_image=2", "--json",
    )  # fmt: skip
    assert code == 0
    facts = json.loads(out)
    regions = facts["regions"]
    assert regions and sum(r["cost_s"] for r in regions) <= 60
    chosen = [r["image"] for r in regions if r["kind"] == "chosen"]
    assert max(map(chosen.count, chosen)) <= 2
    assert any(note.startswith("to label: ") for note in facts["notes"])
    assert {"kind", "pixels", "reason", "information"} <= set(regions[0])


def test_guide_recommends_and_says_what_is_still_needed(run, made, pool):
    code, _, err = run("guide", made)
    assert code == 1 and "train first" in " ".join(err.split())
    lap(run, made, pool)
    code, out, _ = run("guide", made, "--size", 24, "--json")
    facts = json.loads(out)
    assert code == 0 and 0 <= facts["redundancy"] <= 1 and facts["likeness"] is None
    assert facts["strategy"] in facts["words"] and facts["control_needed"] == 25


def test_weights_are_kept_with_the_project_and_given_back(run, made):
    assert run("config", made, "--set", "cost=learned", "--set", "beta=0.5")[0] == 0
    code, out, _ = run("config", made, "--json")
    assert code == 0 and json.loads(out)["beta"] == 0.5
    assert run("config", made, "--set", "beta=strategy")[0] == 0
    assert json.loads(run("config", made, "--json")[1])["beta"] is None
    code, _, err = run("config", made, "--set", "beta=-1")
    assert code == 2 and "beta must be 0 or more" in " ".join(err.split())


def test_a_region_of_ones_own_is_queued_and_counted(run, made, pool):
    images = [path.name for path in sorted((pool / "images").iterdir())]
    answers = {name: run("add-region", made, name, "--y", 8, "--x", 16, "--size", 32, "--json")
               for name in images}  # fmt: skip
    refused = [err for code, _, err in answers.values() if code]
    assert len(refused) == 1 and "set aside to measure the model" in " ".join(refused[0].split())
    facts = [json.loads(out) for code, out, _ in answers.values() if not code]
    assert {f["kind"] for f in facts} == {"manual"} and len(facts) == 3
    code, _, err = run("add-region", made, facts[0]["image"], "--y", 20, "--x", 20, "--size", 128)
    assert code == 1 and "does not lie inside" in " ".join(err.split())
    code, _, err = run("add-region", made, facts[0]["image"], "--y", 9, "--x", 9, "--height", 20)
    assert code == 2 and "--height and --width together" in " ".join(err.split())
    told = json.loads(run("info", made, "--json")[1])
    assert told["own_regions"] == 3 and told["regions"]["proposed"] == 3
