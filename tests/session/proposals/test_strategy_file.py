import pytest

from napari_active_seg.acquisition import STRATEGIES
from napari_active_seg.errors import ConfigError
from napari_active_seg.session.proposals.strategy_file import (
    read_strategy,
    strategy_from,
    write_strategy,
)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_comes_back_from_its_file(name, tmp_path):
    write_strategy(tmp_path / "s.yaml", STRATEGIES[name])
    assert read_strategy(tmp_path / "s.yaml") == STRATEGIES[name]


def test_a_short_file_is_enough_and_bears_its_own_name(tmp_path):
    (tmp_path / "mine.yml").write_text("unit: crops\nbeta: 1\nper_image: 2\n")
    mine = strategy_from(str(tmp_path / "mine.yml"))
    assert (mine.name, mine.unit, mine.beta, mine.per_image) == ("mine", "crops", 1, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("unti: crops", "unti.*did you mean.*unit"),
        ("unit: hexagons", "hexagons"),
        ("beta: yes", "beta is a number"),
        ("size: 12.5", "size is a whole number"),
        ("overlap: 1", "overlap is yes or no"),
        ("[1, 2", "not valid YAML"),
        ("just words", "no parts"),
        ("size: -4", "size must be"),
        ("tolerance: .nan", "tolerance must be 0 or more, got nan"),
        ("inverse_temperature: .inf", "inverse_temperature must be 0 or more, got inf"),
        ("share: .nan", "share must be above 0"),
        ("control: .nan", "control must be 0 to 0.5"),
    ],
)
def test_rubbish_is_refused_with_the_file_and_the_part(text, told, tmp_path):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"(?s)s.yaml.*{told}"):
        read_strategy(tmp_path / "s.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        strategy_from(str(tmp_path / "nowhere.yaml"))
