"""A predictions file, read row by row whatever its size, every row checked."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stanceline.errors import InputError
from stanceline.labels import SENTIMENT_FIELD, SENTIMENT_LABELS, STANCE_LABELS, Field

FORMATS = (".jsonl", ".csv", ".parquet")
_REQUIRED = ("article_id", "sentence_index", "text")
_CONFIDENCE = "_confidence"
_BATCH_ROWS = 4096  # of Parquet
_TEXTS = ("article_id", "title", "source", "date", "register", "text", "checkpoint")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # JSON can hold one, UTF-8 cannot
_WHOLE_NUMBER = re.compile(r"\d+(\.0*)?")


@dataclass(frozen=True, slots=True)
class PredictedRow:
    """One row, checked. The last three have an entry a field, in the order of the fields."""

    article_id: str
    title: str
    source: str
    date: str
    register: str
    sentence_index: int
    text: str
    start: int | None
    end: int | None
    checkpoint: str
    labels: tuple[str, ...]
    confidences: tuple[float, ...]  # 0 to 1
    probabilities: tuple[tuple[float, ...], ...]  # 0 to 1, in the order of the field's labels


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row with its place in the file, and how far into the file it stands."""

    row: PredictedRow
    place: str  # `predictions.jsonl line 7`
    fraction: float  # 0 to 1


def predicted_fields(columns: Iterable[str], where: str) -> tuple[Field, ...]:
    """The fields of a predictions file: whatever has columns `NAME_confidence` and `NAME_p_LABEL`.

    Args:
        columns: The column names, in order.
        where: The file, for messages.

    Raises:
        InputError: There is no such column, or a field lacks its label or probability columns.
    """
    columns = list(columns)
    fields = []
    for column in columns:
        name = column.removesuffix(_CONFIDENCE)
        field = Field(name, SENTIMENT_LABELS if name == SENTIMENT_FIELD else STANCE_LABELS)
        keys = [name, *(f"{name}_p_{label}" for label in field.labels)]
        if name == column or not any(key in columns for key in keys[1:]):
            continue  # a column of the input may end like that, too
        missing = [key for key in keys if key not in columns]
        if missing:
            raise InputError(f"{where}: {column!r} is there, but not {', '.join(missing)}; write it with classify")
        fields.append(field)
    missing = [name for name in _REQUIRED if name not in columns]
    if missing or not fields:
        absent = ", ".join([*missing, *([] if fields else ["FIELD_confidence with FIELD_p_LABEL"])])
        raise InputError(f"{where}: not a predictions file, it has no column {absent}; write one with classify")
    return tuple(fields)


def read_fields(path: Path) -> tuple[Field, ...]:
    """The fields of a predictions file, from its header or its first row; quick however long the file is.

    Raises:
        InputError: The file cannot be read, is empty, or does not hold predictions.
    """
    for place, row, _ in _raw_rows(path):
        return predicted_fields(row, place if path.suffix.lower() == ".jsonl" else str(path))
    raise InputError(f"{path}: holds no predictions; write it with classify")


def read_predictions(path: Path, fields: tuple[Field, ...]) -> Iterator[PlacedRow]:
    """Every row of a predictions file, in order.

    Raises:
        InputError: The file cannot be read, or a row is not a prediction of those fields.
    """
    checker = _RowChecker(fields)
    for place, raw, fraction in _raw_rows(path):
        yield PlacedRow(checker.check(raw, place), place, fraction)


def _raw_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    readers = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: {path.suffix or 'no ending'!r} is not a format of predictions; {', '.join(FORMATS)}")
    try:
        yield from reader(path, path.stat().st_size)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _jsonl(path: Path, size: int) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    read = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            read += len(line)
            if not line.strip():
                continue
            place = f"{path} line {number}"
            try:
                row = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except ValueError as error:
                raise InputError(f"{place}: is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise InputError(f"{place}: is not a JSON object; write it with classify")
            yield place, row, read / size


def _csv(path: Path, size: int) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    csv.field_size_limit(2**31 - 1)  # characters; what the C long of every system holds
    with path.open("rb") as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            columns = next(reader, [])
            for cells in reader:
                place = f"{path} line {reader.line_num}"
                if len(cells) != len(columns):
                    raise InputError(f"{place}: has {len(cells)} cells, the header has {len(columns)}")
                yield place, dict(zip(columns, cells, strict=True)), binary.tell() / size
        except csv.Error as error:
            raise InputError(f"{path} line {reader.line_num}: is not CSV: {error}") from error


def _parquet(path: Path, size: int) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield f"{path} row {number}", row, number / file.metadata.num_rows
    except pa.ArrowException as error:
        raise InputError(f"{path}: is not a Parquet file: {str(error).splitlines()[0]}") from error


class _RowChecker:
    """Rows of one file to checked ones; what they have in common is worked out once."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.numbers = [
            (f"{field.name}{_CONFIDENCE}", *(f"{field.name}_p_{label}" for label in field.labels)) for field in fields
        ]

    def check(self, raw: Mapping[str, Any], place: str) -> PredictedRow:
        texts = {name: _text(raw.get(name)) for name in _TEXTS}
        if not texts["article_id"].strip() or not texts["text"].strip():
            raise _wrong(place, "article_id or text is empty")
        for name, text in texts.items():
            if _HALF_CHARACTER.search(text):
                raise _wrong(place, f"{name} holds half of a surrogate pair")
        index = _whole(raw.get("sentence_index"))
        if index is None:
            raise _wrong(place, f"sentence_index {raw.get('sentence_index')!r} is not a whole number from 0")
        numbers = [[_fraction(raw.get(name), name, place) for name in names] for names in self.numbers]
        return PredictedRow(
            sentence_index=index,
            start=_whole(raw.get("start")),
            end=_whole(raw.get("end")),
            labels=tuple(self._label(raw, field, place) for field in self.fields),
            confidences=tuple(row[0] for row in numbers),
            probabilities=tuple(tuple(row[1:]) for row in numbers),
            **texts,
        )

    def _label(self, raw: Mapping[str, Any], field: Field, place: str) -> str:
        label = _text(raw.get(field.name))
        if label not in field.labels:
            raise _wrong(place, f"{field.name} is {label!r}, not one of {', '.join(field.labels)}")
        return label


def _wrong(place: str, message: str) -> InputError:
    return InputError(f"{place}: {message}; write it with classify")


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _whole(value: Any) -> int | None:
    """2, "2" and 2.0 are the same; an empty cell is None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 2**62 else None
    text = _text(value)
    return int(text.split(".")[0]) if len(text) < 18 and _WHOLE_NUMBER.fullmatch(text) else None


def _fraction(value: Any, name: str, place: str) -> float:
    try:
        number = float("nan" if value is None or isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise _wrong(place, f"{name} is {value!r}, not a number from 0 to 1")
    return number
