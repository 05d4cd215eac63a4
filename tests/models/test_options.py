import json
import pickle

import pytest

from napari_active_seg.calibration import Calibration
from napari_active_seg.errors import ConfigError
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.training_options import TrainingOptions


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (TrainingOptions, {"loss": "focall"}, r"no loss 'focall': did you mean 'focal'\?"),
        (TrainingOptions, {"training_length": 0}, "training_length must be 1 to 1,000, got 0"),
        (TrainingOptions, {"ema_decay": 1}, "ema_decay must be 0 or more and below 1, got 1"),
        (TrainingOptions, {"steps": "many"}, "steps: .*valid integer.*got 'many'"),
        (TrainingOptions, {"epochs": 0}, "epochs must be 1 to 1,000,000,000, got 0"),
        (TrainingOptions, {"lenght": 2}, "no setting 'lenght'"),
        (InferenceOptions, {"samples": 0}, "samples must be 1 to 1,000, got 0"),
        (InferenceOptions, {"uncertainty_from": "view"}, "did you mean 'views'"),
        (InferenceOptions, {"extras": ("nothing",)}, "no output 'nothing'"),
        (InferenceOptions, {"temperature": float("nan")}, "temperature"),
    ],
)
def test_values_that_do_not_fit_are_named_with_a_remedy(model, values, message):
    with pytest.raises(ConfigError, match=message):
        model(**values)
    with pytest.raises(ConfigError, match=message):
        model().with_changes(**values)
    with pytest.raises(ConfigError, match=message):
        model.model_validate(values)


def test_changes_leave_the_rest_and_the_original():
    options = TrainingOptions(seed=3, loss="dice")
    changed = options.with_changes(training_length="2", learning_rate="preset")
    assert changed.training_length == 2 and changed.learning_rate is None
    assert (changed.seed, changed.loss) == (3, "dice") and options.training_length == 1


def test_fields_describe_what_the_command_line_and_the_window_show():
    fields = TrainingOptions.list_fields()
    assert fields["init"].choices == ("current", "pretrained", "scratch")
    assert fields["steps"].kind is int and fields["steps"].unset == "preset"
    assert fields["ema_decay"].range == "0 or more and below 1"
    assert fields["learning_rate"].range == "above 0 and at most 1,000,000"
    assert InferenceOptions.list_fields()["uncertainty_from"].choices[0] == "dropout"
    assert not {"seed", "epochs", "shorter"} & set(fields)


def test_values_of_a_run_are_facts_and_no_settings():
    calibration = Calibration("temperature", (1.5, 1.5), (0.0, 0.0))
    options = InferenceOptions(seed=5, fitted_calibration=calibration)
    assert "seed" not in options.model_dump() and options.fitted_calibration is calibration
    facts = json.loads(json.dumps(options.as_facts()))
    assert facts["seed"] == 5 and facts["fitted_calibration"]["method"] == "temperature"
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - to another process


def test_weights_that_a_network_is_built_with():
    assert TrainingOptions().initial_weights == "pretrained"
    assert TrainingOptions(init="scratch", weights_file="a.pth").initial_weights == "random"
    assert TrainingOptions(weights_file="a.pth").initial_weights == "a.pth"


def test_number_of_samples_of_one_network():
    for source, n in (("dropout", 20), ("views", 8), ("single", 1), ("ensemble", 1)):
        assert InferenceOptions(uncertainty_from=source).n_samples == n
    assert not InferenceOptions(samples=1).draws and InferenceOptions(samples=2).draws
