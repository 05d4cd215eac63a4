import pytest
import typer
from typer.testing import CliRunner

from napari_active_seg.cli.defaults import list_options
from napari_active_seg.cli.main import app
from napari_active_seg.cli.option_fields import NONE_GIVEN, add_options
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import SETTINGS, StrategyOptions


@pytest.fixture
def verb():
    """A program with one verb, and what the verb received."""
    received = []
    program = typer.Typer()

    @program.command()
    @add_options(TrainingOptions, leave_out=("steps",))
    def learn(place: str, options=NONE_GIVEN, *, steps: int = 3) -> None:
        received.append((place, dict(options), steps))

    return lambda *words: (CliRunner().invoke(program, words), received)


def test_verb_receives_the_options_that_were_given_by_their_names(verb):
    result, received = verb("here", "--training-length", "2", "--ema-decay", "0.5")
    assert result.exit_code == 0, result.output
    assert received == [("here", {"training_length": 2, "ema_decay": 0.5}, 3)]
    verb("there", "--steps", "5")
    assert received[-1] == ("there", {}, 5)


def test_values_of_another_kind_are_refused(verb):
    result, received = verb("here", "--training-length", "long")
    assert result.exit_code == 2 and not received


def test_every_setting_of_a_section_is_an_option_of_its_verb():
    options = list_options(app)
    for command, model in (("train", TrainingOptions), ("propose", StrategyOptions)):
        for name, field in model.list_fields().items():
            option = options[command][name]
            assert f"--{name.replace('_', '-')}" in option.options
            assert name == "strategy" or field.description in option.help
    assert {"samples", "uncertainty_from"} <= set(options["predict"]) & set(SETTINGS)


def test_settings_of_a_run_are_no_options():
    assert not {"seed", "shorter", "learned_loss", "holds_out"} & set(list_options(app)["train"])
