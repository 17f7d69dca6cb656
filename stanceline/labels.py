"""What can be labelled: stances toward targets, and sentiment."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from stanceline.errors import ConfigError


class Stance(StrEnum):
    """Stance of a sentence toward one target; the order is the order of the logits."""

    FAVOR = "favor"
    AGAINST = "against"
    NEUTRAL = "neutral"
    NONE = "none"


class Sentiment(StrEnum):
    """Tone of a sentence, whatever the target; the order is the order of the logits."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"


SENTIMENT_FIELD = "sentiment"
STANCE_LABELS = tuple(str(label) for label in Stance)
SENTIMENT_LABELS = tuple(str(label) for label in Sentiment)

# Columns that a row may have beside its labels: a target of such a name could not be told from them.
_ROW_NAMES = ("article_id", "title", "source", "date", "register", "sentence_index", "text", "sentences")
_LABEL_NAMES = ("start", "end", "checkpoint", "split", "weight", "annotator", "origin", "voice", "tags", "sentiment")
_TARGET_NAMES = ("target", "target_start", "target_end")
RESERVED_NAMES = frozenset(_ROW_NAMES + _LABEL_NAMES + _TARGET_NAMES)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# `FIELD_confidence`, `FIELD_p_LABEL` and `FIELD_uncertain` are prediction columns.
_PREDICTION_SUFFIX = re.compile(r"_(confidence|uncertain|p_[a-z]+)$")


@dataclass(frozen=True, slots=True)
class Target:
    """What a stance is held toward.

    Raises:
        ConfigError: The name is not a plain lower-case identifier, or is taken by a column of rows.
    """

    name: str  # also the column of rows
    description: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"target {self.name!r}: use lower-case letters, digits and _, starting with a letter")
        if self.name in RESERVED_NAMES or _PREDICTION_SUFFIX.search(self.name):
            raise ConfigError(f"target {self.name!r}: that name is a column of rows; choose another")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that every sentence is labelled with, and its labels in the order of the logits."""

    name: str
    labels: tuple[str, ...]

    @property
    def is_stance(self) -> bool:
        """Whether the field is a stance toward a target (and not the sentiment)."""
        return self.name != SENTIMENT_FIELD


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """The fields of a checkpoint: a stance for each target, then the sentiment.

    Raises:
        ConfigError: Two targets have one name.
    """

    targets: tuple[Target, ...]
    sentiment: bool = True

    def __post_init__(self) -> None:
        names = [target.name for target in self.targets]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"target {name!r} is declared twice")

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields in the order of the model's heads."""
        stances = tuple(Field(target.name, STANCE_LABELS) for target in self.targets)
        return (*stances, Field(SENTIMENT_FIELD, SENTIMENT_LABELS)) if self.sentiment else stances

    def field(self, name: str) -> Field:
        """The field of that name.

        Raises:
            ConfigError: There is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise ConfigError(f"no field {name!r}; there are {', '.join(f.name for f in self.fields)}")

    def with_targets(self, added: Iterable[Target]) -> "LabelScheme":
        """This scheme with further targets; one of the same name replaces the description, not the place."""
        merged = {target.name: target for target in self.targets}
        merged.update({target.name: target for target in added})
        return LabelScheme(tuple(merged.values()), self.sentiment)

    def to_dict(self) -> dict[str, Any]:
        """The scheme as JSON, labels included so that a reader can refuse another order."""
        return {
            "targets": [
                {"name": t.name, "description": t.description, "aliases": list(t.aliases)} for t in self.targets
            ],
            "fields": {field.name: list(field.labels) for field in self.fields},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LabelScheme":
        """The inverse of `to_dict`.

        Raises:
            ConfigError: The labels are not those of this version, or stand in another order.
        """
        scheme = cls(
            tuple(Target(t["name"], t["description"], tuple(t["aliases"])) for t in data["targets"]),
            sentiment=SENTIMENT_FIELD in data["fields"],
        )
        expected = {field.name: list(field.labels) for field in scheme.fields}
        if data["fields"] != expected or list(data["fields"]) != list(expected):
            raise ConfigError(f"labels are {data['fields']}, expected {expected} in that order")
        return scheme


def read_targets(path: Path) -> tuple[Target, ...]:
    """Targets from a TOML file with one table a target: `[western_policy]`, `description`, `aliases`.

    Raises:
        ConfigError: The file is not TOML, or a table has an illegal name, unknown keys, or values of another type.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a targets file: {error}") from error
    targets = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {name!r} is not a table; write [{name}] with a description")
        unknown = set(table) - {"description", "aliases"}
        if unknown:
            raise ConfigError(f"{path}: [{name}] has unknown keys {sorted(unknown)}; use description, aliases")
        description, aliases = table.get("description", ""), table.get("aliases", [])
        if not isinstance(description, str):
            raise ConfigError(f"{path}: [{name}] description is {description!r}; write a text")
        if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
            raise ConfigError(f"{path}: [{name}] aliases is {aliases!r}; write a list of texts")
        try:
            targets.append(Target(name, description, tuple(aliases)))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    if not targets:
        raise ConfigError(f"{path}: declares no target")
    return tuple(targets)
