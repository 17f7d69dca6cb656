"""Suites: named evaluations in a TOML file, one table each, so that a measurement can be repeated by name."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stanceline.config import read_toml
from stanceline.errors import ConfigError
from stanceline.slices import Grouping

_PATHS = ("data", "train", "annotators")
_KEYS = (
    *_PATHS,
    "description",
    "fields",
    "maps",
    "split",
    "slices",
    "groups",
    "behavior",
    "main_metric",
    "baseline",
    "floor",
)


@dataclass(frozen=True, slots=True)
class Suite:
    """What is evaluated, by which scheme, and what it is compared with. Paths are relative to the suites file."""

    name: str
    data: tuple[Path, ...]  # labels
    description: str = ""
    fields: tuple[str, ...] = ()  # () = all that the checkpoint and the labels have
    maps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # field -> label map
    split: str = ""  # only rows of that split
    train: tuple[Path, ...] = ()  # labels that the floors learn from
    annotators: tuple[Path, ...] = ()  # one or two files, for the ceiling
    slices: tuple[str, ...] = ()  # further columns to slice by
    groups: tuple[Grouping, ...] = ()
    behavior: Path | None = None
    main_metric: str = ""  # FIELD.METRIC, shown first
    baseline: Mapping[str, float] = field(default_factory=dict)  # FIELD.METRIC -> what is to be beaten
    floor: Mapping[str, float] = field(default_factory=dict)  # FIELD.METRIC -> below it the evaluation fails


def read_suite(path: Path, name: str) -> Suite:
    """One suite of a TOML file.

    Raises:
        ConfigError: The file is no TOML, there is no such suite, or it has an unknown key or a value of the wrong type.
    """
    tables = read_toml(path)
    if name not in tables:
        near = difflib.get_close_matches(name, tables, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(tables))}"
        raise ConfigError(f"{path}: no suite {name!r}; {hint}")
    table = tables[name]
    where = f"{path}: [{name}]"
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name!r} is no table")
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(_KEYS)}"
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}")
    paths = {key: tuple(_beside(path, entry) for entry in _strings(table, key, where)) for key in _PATHS}
    if not paths["data"]:
        raise ConfigError(f"{where}: 'data' must be a list of files")
    behavior = _string(table, "behavior", where)
    return Suite(
        name=name,
        description=_string(table, "description", where),
        fields=_strings(table, "fields", where),
        maps=_table(table, "maps", where),
        split=_string(table, "split", where),
        slices=_strings(table, "slices", where),
        groups=_groups(_table(table, "groups", where), where),
        behavior=_beside(path, behavior) if behavior else None,
        main_metric=_string(table, "main_metric", where),
        baseline=_figures(table, "baseline", where),
        floor=_figures(table, "floor", where),
        **paths,
    )


def _beside(path: Path, entry: str) -> Path:
    # `eval/../seeds` is `seeds` in what is recorded.
    return Path(os.path.normpath(path.parent / entry))


def _string(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {key} is {value!r}, expected a string")
    return value


def _strings(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ConfigError(f"{where}: {key} is {value!r}, expected a list of strings")
    return tuple(value)


def _table(table: Mapping[str, Any], key: str, where: str) -> dict[str, dict[str, Any]]:
    value = table.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise ConfigError(f"{where}: {key} must hold a table for each name")
    return value


def _figures(table: Mapping[str, Any], key: str, where: str) -> dict[str, float]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f'{where}: {key} must be a table such as {{ "western_policy.f1_macro" = 0.7 }}')
    for name, figure in value.items():
        if isinstance(figure, bool) or not isinstance(figure, int | float):
            raise ConfigError(f"{where}: {key} {name!r} is {figure!r}, expected a number; quote names that hold a dot")
    return {name: float(figure) for name, figure in value.items()}


def _groups(tables: Mapping[str, Mapping[str, Any]], where: str) -> tuple[Grouping, ...]:
    found = []
    for name, table in tables.items():
        column, values = table.get("column"), table.get("values")
        if set(table) != {"column", "values"} or not isinstance(column, str) or not isinstance(values, dict):
            raise ConfigError(f"{where}: group {name!r} needs a `column` and a table `values` of group = [patterns]")
        found.append(Grouping(name, column, {group: _strings(values, group, where) for group in values}))
    return tuple(found)
