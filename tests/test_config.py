"""Defaults < file < flags, and nothing unknown."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stanceline.config import Recipe, from_mapping, read_recipe, to_dict
from stanceline.errors import ConfigError


def test_flags_override_the_file_and_the_file_the_defaults(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text("epochs = 2\nseed = 7\n[optimizer]\nlearning_rate = 3e-5\n")
    recipe = read_recipe(path, {"seed": 9, "optimizer.warmup": 0.2, "epochs": None})
    assert (recipe.epochs, recipe.seed, recipe.batch_sentences) == (2.0, 9, Recipe().batch_sentences)
    assert (recipe.optimizer.learning_rate, recipe.optimizer.warmup) == (3e-5, 0.2)


def test_a_flag_of_zero_survives():
    assert read_recipe(None, {"seed": 0, "augment.cut_probability": 0.0}).augment.cut_probability == 0.0


def test_a_recipe_survives_json():
    assert from_mapping(Recipe, to_dict(Recipe(seed=3)), "x") == Recipe(seed=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 2", "unknown key 'epoch'; did you mean 'epochs'"),
        ("[optimizer]\nlr = 1", "unknown key 'lr'; known keys: learning_rate"),
        ("epochs = 'two'", "expected float"),
        ("epochs = 0", "epochs is 0.0, it must be more than 0"),
        ("seed = true", "expected int"),
        ("seed = 1.5", "expected int"),
        ("model = 3", "must be a table"),
        ("[model]\npooling = 'max'", "use one of 'mean', 'attention'"),
        ("=", "cannot be read as TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["overlap", "title_length"])
def test_a_window_of_negative_shape_is_refused(name: str):
    with pytest.raises(ConfigError, match=f"model.{name} is -1"):
        read_recipe(None, {f"model.{name}": -1})
    assert getattr(read_recipe(None, {f"model.{name}": 0}).model, name) == 0


def test_an_optional_setting_takes_its_type_or_nothing():
    @dataclass(frozen=True)
    class Settings:
        limit: int | None = field(default=None)

    assert from_mapping(Settings, {"limit": 3}, "x") == Settings(3)
    with pytest.raises(ConfigError, match="expected int"):
        from_mapping(Settings, {"limit": "3"}, "x")
