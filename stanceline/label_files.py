"""Labelled sentences in files: rows to examples, checked, and back."""

import datetime
import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stanceline.errors import ConfigError, LabelError
from stanceline.label_rows import Place, Problem, RowFile, read_rows, write_rows
from stanceline.labels import SENTIMENT_FIELD, SENTIMENT_LABELS, STANCE_LABELS, Field
from stanceline.records import SPLITS, Example, is_unrelated
from stanceline.target_marking import mark

# Our label -> the label or labels of the foreign data that mean it.
LabelMap = Mapping[str, str | Sequence[str]]

_COLUMNS = ("article_id", "title", "source", "date", "sentence_index", "text", "split", "weight")
_SHOWN_PROBLEMS = 20
_WHOLE_NUMBER = re.compile(r"\d+(\.0*)?")


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows that were read; the three add up to all of them."""

    used: int  # with at least one label
    unlabelled: int  # kept as context, scored and trained on nowhere
    refused: int  # left out because of a problem


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Checked examples, with what is needed to tell where each came from."""

    examples: tuple[Example, ...]  # in the order of the files, the unlabelled ones too
    places: tuple[Place, ...]  # of each example
    fields: tuple[Field, ...]
    hashes: Mapping[str, str]  # file -> SHA-256 of its bytes
    problems: tuple[Problem, ...]  # why rows were refused
    counts: RowCounts
    unread_label_columns: tuple[str, ...]  # columns that look like labels, but are none of the fields


def read_examples(
    paths: Sequence[Path | str],
    fields: Sequence[Field] | None = None,
    *,
    targets: Collection[str] = (),
    label_maps: Mapping[str, LabelMap] | None = None,
    text_required: bool = True,
    marked: bool = False,
    refuse: bool = False,
) -> LabelTable:
    """Examples from JSONL, CSV or Parquet rows, one sentence each.

    An empty cell or a null is "not labelled"; the string `none` is a label. Rows without any label are kept: they
    are the context of the others.

    Args:
        paths: One file or more; their rows follow each other.
        fields: What must be a column of every file, or None for every column that is one of `targets` or `sentiment`.
        targets: The known targets; used where `fields` is None.
        label_maps: For foreign data, a map for each field whose labels are not ours.
        text_required: False allows rows of labels only, as a second annotator hands them in.
        marked: Every row must have a target that can be marked in its text.
        refuse: Leave rows with a problem out, and list them in `problems`, instead of raising.

    Raises:
        LabelError: A file cannot be read, a column is missing, or rows have problems (the first 20 are named, each
            with file and line); or no row is labelled.
        ConfigError: A label map names labels that its field doesn't have.
    """
    table = drop_doubled(
        parse_files(paths, fields, targets=targets, label_maps=label_maps, text_required=text_required, marked=marked)
    )
    if not refuse:
        raise_problems(table.problems)
    files = ", ".join(table.hashes)
    if not table.examples and not table.problems:
        raise LabelError(f"{files}: holds no rows")
    if not table.counts.used:
        names = ", ".join(field.name for field in table.fields)
        raise LabelError(f"{files}: no row is labelled in {names}; an empty cell means not labelled")
    return table


def parse_files(
    paths: Sequence[Path | str],
    fields: Sequence[Field] | None = None,
    *,
    targets: Collection[str] = (),
    label_maps: Mapping[str, LabelMap] | None = None,
    text_required: bool = True,
    marked: bool = False,
) -> LabelTable:
    """Like `read_examples`, but problems are only listed, and an id may come again.

    Raises:
        LabelError: There is no file, one cannot be read, or no column holds labels.
        ConfigError: A label map names labels that its field doesn't have.
    """
    if not paths:
        raise LabelError("no labels file was given")
    files = [read_rows(path) for path in paths]
    found = tuple(fields) if fields is not None else _known_fields(files, targets)
    parser = _RowParser(found, label_maps or {}, text_required, marked)
    examples: list[Example] = []
    places: list[Place] = []
    problems: list[Problem] = []
    refused = 0
    for file in files:
        problems.extend(file.problems)
        refused += len(file.problems)
        missing = _missing_columns(file, found if fields is not None else (), text_required)
        if missing:
            problems.extend(missing)
            refused += len(file.rows)
            continue
        for place, row in file.rows:
            example, messages = parser.parse(row)
            problems.extend(Problem(place, message) for message in messages)
            if messages:
                refused += 1
            else:
                examples.append(example)
                places.append(place)
    unlabelled = sum(not example.labels for example in examples)
    return LabelTable(
        tuple(examples),
        tuple(places),
        found,
        {file.path: file.sha256 for file in files},
        tuple(problems),
        RowCounts(len(examples) - unlabelled, unlabelled, refused),
        _unread_label_columns(files, found, targets),
    )


def raise_problems(problems: Sequence[Problem]) -> None:
    """Nothing where there are none.

    Raises:
        LabelError: There are: the first 20, a line each, and how many more.
    """
    if not problems:
        return
    lines = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
    rest = len(problems) - len(lines)
    raise LabelError("\n".join([*lines, f"and {rest} more problems"] if rest else lines))


def drop_doubled(table: LabelTable) -> LabelTable:
    """The table without rows whose (article_id, sentence_index) stood before; each is listed as a problem."""
    first: dict[tuple[str, int], Place] = {}
    kept, problems = [], []
    for number, (example, place) in enumerate(zip(table.examples, table.places, strict=True)):
        if example.key in first:
            index = f"sentence {example.sentence_index} of article {example.article_id!r}"
            problems.append(Problem(place, f"{index} stands already at {first[example.key]}; keep one of them"))
        else:
            first[example.key] = place
            kept.append(number)
    examples = tuple(table.examples[number] for number in kept)
    unlabelled = sum(not example.labels for example in examples)
    order = {path: number for number, path in enumerate(table.hashes)}
    return LabelTable(
        examples,
        tuple(table.places[number] for number in kept),
        table.fields,
        table.hashes,
        tuple(sorted((*table.problems, *problems), key=lambda p: (order[p.place.path], p.place.number or 0))),
        RowCounts(len(examples) - unlabelled, unlabelled, table.counts.refused + len(problems)),
        table.unread_label_columns,
    )


def write_examples(
    path: Path | str, examples: Iterable[Example], fields: Sequence[Field], *, overwrite: bool = False
) -> None:
    """Examples as rows that `read_examples` reads back the same; the file is written whole or not at all.

    `split` and `weight` are columns only where an example has one. In CSV, other columns come back as strings.

    Raises:
        OutputError: The file exists (and `overwrite` is not given), has another ending, or cannot be written.
    """
    examples = list(examples)
    names = [field.name for field in fields]
    others = dict.fromkeys(column for example in examples for column in example.extra)
    columns = ["article_id", "title", "source", "date", "sentence_index", "text", *names]
    if "register" in others:
        columns.insert(columns.index("sentence_index"), "register")
    if any(example.split for example in examples):
        columns.append("split")
    if any(example.weight != 1.0 for example in examples):
        columns.append("weight")
    columns.extend(column for column in others if column not in columns)
    rows = [
        {
            **example.extra,
            **{column: getattr(example, column) for column in _COLUMNS},
            "split": example.split or None,
            **{name: example.labels.get(name) for name in names},
        }
        for example in examples
    ]
    types: dict[str, type] = dict.fromkeys((*_COLUMNS, *names), str)
    write_rows(path, columns, rows, {**types, "sentence_index": int, "weight": float}, overwrite=overwrite)


def group_articles(examples: Iterable[Example]) -> list[tuple[Example, ...]]:
    """The sentences of each article by `sentence_index`, the articles in the order of their first appearance."""
    articles: dict[str, list[Example]] = {}
    for example in examples:
        articles.setdefault(example.article_id, []).append(example)
    return [tuple(sorted(article, key=lambda example: example.sentence_index)) for article in articles.values()]


def foreign_labels(label_map: LabelMap, field: Field) -> dict[str, str]:
    """A label map turned round: the foreign label -> ours.

    Raises:
        ConfigError: The field has no such label, or a foreign label stands for two of ours.
    """
    ours: dict[str, str] = {}
    for label, foreign in label_map.items():
        if label not in field.labels:
            raise ConfigError(f"label map of {field.name}: {label!r} is not one of {', '.join(field.labels)}")
        for name in [foreign] if isinstance(foreign, str) else foreign:
            if ours.setdefault(str(name), label) != label:
                raise ConfigError(f"label map of {field.name}: {name!r} stands for {ours[str(name)]} and for {label}")
    return ours


class _RowParser:
    """Rows to examples, for one set of fields."""

    def __init__(
        self, fields: Sequence[Field], label_maps: Mapping[str, LabelMap], text_required: bool, marked: bool
    ) -> None:
        self.fields = fields
        self.maps = {
            field.name: foreign_labels(label_maps[field.name], field) for field in fields if field.name in label_maps
        }
        unknown = set(label_maps) - {field.name for field in fields}
        if unknown:
            raise ConfigError(f"label map for {sorted(unknown)}: not among the fields {[f.name for f in fields]}")
        self.text_required = text_required
        self.marked = marked
        self.own = {*_COLUMNS, *(field.name for field in fields)}

    def parse(self, row: Mapping[str, Any]) -> tuple[Example, list[str]]:
        """The example of a row; where there are messages it is not to be used."""
        messages: list[str] = []
        texts = {name: _text(row.get(name)) for name in ("article_id", "title", "source", "date", "text", "split")}
        messages += [f"{name} holds half of a surrogate pair" for name, text in texts.items() if not _is_utf8(text)]
        if not texts["article_id"].strip():
            messages.append("article_id is empty")
        if self.text_required and not texts["text"].strip():
            messages.append("text is empty")
        split = texts["split"].strip()
        if split and split not in SPLITS:
            messages.append(f"{split!r} is not a split; use one of {', '.join(SPLITS)}")
        index = _sentence_index(row.get("sentence_index"))
        if index is None:
            messages.append(f"sentence_index {row.get('sentence_index')!r} is not a whole number from 0")
        weight = _weight(row.get("weight", 1.0))
        if weight is None:
            messages.append(f"weight {row['weight']!r} is not a number from 0")
        if self.marked:
            try:
                mark(texts["text"], row)
            except ValueError as error:
                messages.append(str(error))
        labels = self._labels(row, messages)
        example = Example(
            article_id=texts["article_id"],
            sentence_index=index or 0,
            text=texts["text"],
            labels=labels,
            title=texts["title"],
            source=texts["source"],
            date=texts["date"],
            related=not is_unrelated(texts["title"], _text(row.get("register"))),
            weight=1.0 if weight is None else weight,
            split=split,
            extra={name: value for name, value in row.items() if name not in self.own},
        )
        return example, messages

    def _labels(self, row: Mapping[str, Any], messages: list[str]) -> dict[str, str]:
        labels = {}
        for field in self.fields:
            given = _text(row.get(field.name)).strip()
            if not given:
                continue
            label_map = self.maps.get(field.name)
            label = given if label_map is None else label_map.get(given)
            if label is not None and label in field.labels:
                labels[field.name] = label
                continue
            kind = "stance" if field.is_stance else "sentiment"
            wanted = f"use one of {', '.join(field.labels)}"
            if label_map is not None:
                kind, wanted = "label", f"the label map knows {', '.join(label_map)}"
            messages.append(f"{given!r} is not a {kind}; {wanted} (column {field.name})")
        return labels


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value if isinstance(value, str) else str(value)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _sentence_index(value: Any) -> int | None:
    """2, "2" and 2.0 are the same: a column with gaps comes out of a spreadsheet or of pandas as floats."""
    if isinstance(value, bool) or not _WHOLE_NUMBER.fullmatch(str(value).strip()):
        return None
    return int(str(value).strip().split(".")[0])


def _weight(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        weight = float(value)
    except (TypeError, ValueError):
        return None
    return weight if math.isfinite(weight) and weight >= 0 else None


def _known_fields(files: Sequence[RowFile], targets: Collection[str]) -> tuple[Field, ...]:
    columns = {column for file in files for column in file.columns}
    fields = [Field(target, STANCE_LABELS) for target in targets if target in columns]
    if SENTIMENT_FIELD in columns:
        fields.append(Field(SENTIMENT_FIELD, SENTIMENT_LABELS))
    if not fields and any(file.rows for file in files):
        paths = ", ".join(file.path for file in files)
        raise LabelError(f"{paths}: no column holds labels; name one {', '.join((*targets, SENTIMENT_FIELD))}")
    return tuple(fields)


def _missing_columns(file: RowFile, fields: Sequence[Field], text_required: bool) -> list[Problem]:
    """Columns that no row has; a file without rows is told of elsewhere."""
    needed = ["article_id", "sentence_index", *(["text"] if text_required else []), *(field.name for field in fields)]
    problems = []
    for name in needed if file.rows else ():
        if name not in file.columns:
            near = difflib.get_close_matches(name, file.columns, n=1, cutoff=0.8)
            hint = f"is {near[0]!r} meant for it?" if near else f"there are {', '.join(file.columns)}"
            problems.append(Problem(Place(file.path), f"no column {name!r}; {hint}"))
    return problems


def _unread_label_columns(
    files: Sequence[RowFile], fields: Sequence[Field], targets: Collection[str]
) -> tuple[str, ...]:
    """Columns of stances only, or named almost like a field: labels that would be passed over in silence."""
    read = {*_COLUMNS, *(field.name for field in fields)}
    names = [*(field.name for field in fields), *targets]
    found = []
    for column in dict.fromkeys(column for file in files for column in file.columns if column not in read):
        values = {str(row[column]) for file in files for _, row in file.rows if column in row}
        is_near = bool(difflib.get_close_matches(column, names, n=1, cutoff=0.88))
        if values and (is_near or values <= set(STANCE_LABELS)):
            found.append(column)
    return tuple(found)
