"""Targets are data, and the order of the labels is a promise."""

from pathlib import Path

import pytest

from stanceline.errors import ConfigError
from stanceline.labels import LabelScheme, Target, read_targets


def test_a_scheme_survives_json():
    scheme = LabelScheme((Target("grain_deal", "The Black Sea grain deal.", ("grain",)), Target("tariffs")))
    assert LabelScheme.from_dict(scheme.to_dict()) == scheme


def test_the_fields_are_the_targets_and_then_the_sentiment():
    fields = LabelScheme((Target("tariffs"), Target("grain_deal"))).fields
    assert [field.name for field in fields] == ["tariffs", "grain_deal", "sentiment"]
    assert fields[0].labels == ("favor", "against", "neutral", "none")
    assert fields[-1].labels == ("positive", "negative", "neutral")


def test_an_added_target_comes_last_and_a_known_one_keeps_its_place():
    scheme = LabelScheme((Target("a"), Target("b"))).with_targets([Target("c"), Target("a", "anew")])
    assert [target.name for target in scheme.targets] == ["a", "b", "c"]
    assert scheme.targets[0].description == "anew"


@pytest.mark.parametrize(
    "name", ["text", "sentiment", "split", "Tariffs", "grain deal", "a_confidence", "a_p_favor", ""]
)
def test_a_target_that_could_be_taken_for_another_column_is_refused(name: str):
    with pytest.raises(ConfigError, match="target"):
        Target(name)


def test_a_target_declared_twice_is_refused():
    with pytest.raises(ConfigError, match="declared twice"):
        LabelScheme((Target("a"), Target("a")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "not a table"),
        ("[a]\ncolour = 1", "unknown keys"),
        ("[a]\naliases = 'grain'", "aliases"),
        ("[a]\naliases = [1]", "aliases"),
        ("[a]\ndescription = 3", "description"),
        ("[Tariffs]", "lower-case"),
        ("", "declares no target"),
        ("[a", "cannot be read"),
    ],
)
def test_a_wrong_targets_file_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "targets.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_targets(path)
    assert str(path) in str(caught.value)
