"""Frozen settings, one dataclass a stage, read from TOML that refuses unknown keys."""

import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from stanceline.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of the model; stored in the checkpoint."""

    context: Literal["window", "none"] = "window"  # a packed window of the article, or each sentence alone
    # A head for each target, all in one pass; or one head a field, which answers for the target that the row marks.
    target_input: Literal["head", "marked"] = "head"
    max_length: int = 320  # tokens of a window, special tokens included
    overlap: int = 1  # sentences before a window's own that it reads again, as context
    title_length: int = 48  # tokens of the title that stand before a window; 0 leaves it out
    pooling: Literal["mean", "attention"] = "mean"  # of a sentence's own token states
    dropout: float = 0.1  # before and inside the heads, while training
    attention_dropout: float = 0.0  # of a plain encoder, while training; above 0 the CPU has no fused attention

    @property
    def is_marked(self) -> bool:
        """Whether rows have a target, which is marked in what is read."""
        return self.target_input == "marked"


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with warm-up and linear decay."""

    learning_rate: float = 1e-4  # of the encoder's top layer
    head_learning_rate: float = 5e-4  # of the heads
    layer_decay: float = 1.0  # factor from a layer to the one below it
    weight_decay: float = 0.01
    warmup: float = 0.1  # fraction of the steps
    max_grad_norm: float = 1.0


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Cross-entropy summed over the fields; a missing label is masked out."""

    label_smoothing: float = 0.05
    class_weight_power: float = 0.3  # weight of a class = (mean count / count) ** power; 0 = all equal
    distillation: float = 0.0  # weight of the cross-entropy to the starting checkpoint's probabilities


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Changes to the articles in each epoch: with more or less context, with other names."""

    cut_probability: float = 0.5  # share of the articles that are cut at random places
    drop_title_probability: float = 0.3  # among those
    swap_names_probability: float = 0.0  # share of the articles in which countries and leaders change places


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a checkpoint is trained. `stanceline train --recipe FILE` reads it, flags override it.

    Raises:
        ConfigError: A number makes no sense.
    """

    epochs: float = 4.0
    batch_sentences: int = 32  # labelled sentences an optimizer step
    batch_tokens: int = 1500  # padded tokens a forward pass at most
    seed: int = 0
    patience: int = 0  # evaluations without gain before training stops; 0 = never
    evaluations_per_epoch: int = 1
    dev_fraction: float = 0.1  # of the articles, where no dev labels are given
    replay: float = 0.0  # shipped seed sentences that are trained on again, for each new sentence
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_sentences", "batch_tokens", "evaluations_per_epoch"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, it must be more than 0")
        for name, value in (
            ("patience", self.patience),
            ("replay", self.replay),
            ("loss.distillation", self.loss.distillation),
            ("optimizer.learning_rate", self.optimizer.learning_rate),
            ("model.overlap", self.model.overlap),
            ("model.title_length", self.model.title_length),
        ):
            if value < 0:
                raise ConfigError(f"{name} is {value}, it must not be less than 0")
        if not 0 < self.dev_fraction < 1:
            raise ConfigError(f"dev_fraction is {self.dev_fraction}, it must lie between 0 and 1")


# What `stanceline train` takes instead of the defaults above where it starts from a checkpoint: a few careful steps,
# with something of the old in each of them.
RETRAINING_DEFAULTS: Mapping[str, Any] = {
    "epochs": 3.0,
    "patience": 2,
    "optimizer.learning_rate": 2e-5,
    "loss.distillation": 0.5,
    "replay": 1.0,
}


def from_mapping(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    """A dataclass from a mapping of the same shape.

    Raises:
        ConfigError: A key is unknown (the nearest known one is named) or a value is of the wrong type.
    """
    hints = typing.get_type_hints(cls)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}")
        values[key] = _checked(hints[key], value, f"{where}: {key}")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _checked(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table")
        return from_mapping(typing.cast(type, hint), value, where)
    origin = typing.get_origin(hint)
    if origin is Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{where} is {value!r}; use one of {', '.join(map(repr, typing.get_args(hint)))}")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in typing.get_args(hint):
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where} is {value!r}, expected {hint.__name__}")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a mapping.

    Raises:
        ConfigError: It is not there or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from error


def read_recipe(
    path: Path | None, overrides: Mapping[str, Any] | None = None, *, defaults: Mapping[str, Any] | None = None
) -> Recipe:
    """Defaults < file < flags.

    Args:
        path: A TOML file, or None for the defaults.
        overrides: Dotted keys such as `optimizer.learning_rate`; a value of None is no override.
        defaults: Dotted keys that stand below the file, where another default suits the occasion.

    Raises:
        ConfigError: The file or a key is wrong.
    """
    where = str(path) if path else "flags"
    data = read_toml(path) if path else {}
    for key, value in (defaults or {}).items():
        table, last = _table_of(data, key, where)
        table.setdefault(last, value)
    for key, value in (overrides or {}).items():
        if value is not None:
            table, last = _table_of(data, key, where)
            table[last] = value
    return from_mapping(Recipe, data, where)


def _table_of(data: dict[str, Any], key: str, where: str) -> tuple[dict[str, Any], str]:
    """The table that a dotted key lies in, made where it is missing, and the key's last part."""
    *parents, last = key.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"{where}: {parent} must be a table")
    return data, last


def to_dict(config: Any) -> dict[str, Any]:
    """A config dataclass as plain JSON."""
    return asdict(config)
