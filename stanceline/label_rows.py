"""Rows of a table in JSONL, CSV or Parquet, with the line of each; nothing here knows what a label is."""

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stanceline.errors import LabelError, OutputError

FORMATS = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row came from: `labels.csv line 7`, `labels.parquet row 7`, or a file as a whole."""

    path: str
    number: int | None = None  # counted from 1; None is the whole file
    unit: str = "line"

    def __str__(self) -> str:
        """As it stands in front of a message."""
        return self.path if self.number is None else f"{self.path} {self.unit} {self.number}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong at a place; as text it is the line that a user sees."""

    place: Place
    message: str

    def __str__(self) -> str:
        """What, after where."""
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class RowFile:
    """The rows of one file. An empty cell and a null are left out of a row."""

    path: str
    sha256: str
    columns: tuple[str, ...]  # in the order of their first appearance
    rows: tuple[tuple[Place, Mapping[str, Any]], ...]
    problems: tuple[Problem, ...] = field(default=())  # rows that could not be read at all


def read_rows(path: Path | str) -> RowFile:
    """All rows of a file, read once, so that the hash belongs to what was read.

    Raises:
        LabelError: The file is missing, of another format, or not readable as a whole.
    """
    path = Path(path)
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.is_dir():
        raise LabelError(f"{path}: is a folder; name the labels files in it")
    if path.suffix.lower() not in readers:
        raise LabelError(f"{path}: {path.suffix!r} is not a format of labels; use {', '.join(FORMATS)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LabelError(f"{path}: cannot be read: {error.strerror}") from error
    columns, rows, problems = readers[path.suffix.lower()](str(path), data)
    filled = tuple((place, {k: v for k, v in row.items() if not _is_empty(v)}) for place, row in rows)
    return RowFile(str(path), hashlib.sha256(data).hexdigest(), tuple(columns), filled, tuple(problems))


_Read = tuple[Sequence[str], list[tuple[Place, dict[str, Any]]], list[Problem]]


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _read_jsonl(path: str, data: bytes) -> _Read:
    columns: dict[str, None] = {}
    rows, problems = [], []
    # Only \n ends a line: a sentence may hold any of the other characters that str.splitlines would cut at.
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        place = Place(path, number)
        try:
            row = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError:
            problems.append(Problem(place, "is not UTF-8; save the file as UTF-8"))
            continue
        except (ValueError, RecursionError) as error:
            problems.append(Problem(place, f"is not JSON: {error}"))
            continue
        if not isinstance(row, dict):
            problems.append(Problem(place, 'is not a JSON object; write one {"article_id": ...} a line'))
            continue
        columns.update(dict.fromkeys(row))
        rows.append((place, row))
    return list(columns), rows, problems


def _read_csv(path: str, data: bytes) -> _Read:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelError(f"{path} line {line}: is not UTF-8; save the file as CSV UTF-8") from error
    csv.field_size_limit(2**31 - 1)  # characters of a cell, which may hold a whole book
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, problems = [], []
    try:
        # Spreadsheets write empty columns behind the table, pandas writes its index under no name.
        columns = [name or f"unnamed_{number}" for number, name in enumerate(next(reader, []), start=1)]
        for name in columns:
            if columns.count(name) > 1:
                raise LabelError(f"{path} line 1: column {name!r} stands twice; rename one of them")
        if len(columns) == 1 and any(mark in columns[0] for mark in ";\t"):
            raise LabelError(
                f"{path} line 1: the columns are not separated by commas; save the file as CSV with commas"
            )
        start = reader.line_num + 1  # a quoted cell may go over several lines
        for cells in reader:
            place, start = Place(path, start), reader.line_num + 1
            if not any(cells):
                continue
            if len(cells) != len(columns):
                message = f"has {len(cells)} cells, the header has {len(columns)}; quote cells that hold commas"
                problems.append(Problem(place, message))
                continue
            rows.append((place, dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        raise LabelError(f"{path} line {reader.line_num}: is not CSV: {error}") from error
    return columns, rows, problems


def _read_parquet(path: str, data: bytes) -> _Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise LabelError(f"{path}: is not a Parquet file: {str(error).splitlines()[0]}") from error
    rows = [(Place(path, number, "row"), row) for number, row in enumerate(table.to_pylist(), start=1)]
    return table.column_names, rows, []


def write_rows(
    path: Path | str,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    types: Mapping[str, type],
    *,
    overwrite: bool = False,
) -> None:
    """Write a table in the format of the file's ending, whole or not at all.

    Args:
        path: A .jsonl, .csv or .parquet file.
        columns: The columns in order; a row without one has an empty cell there.
        rows: The rows.
        types: `str`, `int` or `float` of the columns whose type is known; Parquet infers the others.
        overwrite: Replace a file that is there.

    Raises:
        OutputError: The file exists, has another ending, or cannot be written.
    """
    path = Path(path)
    encoders: dict[str, Callable[..., bytes]] = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in encoders:
        raise OutputError(f"{path}: {path.suffix!r} is not a format of labels; use {', '.join(FORMATS)}")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; choose another name or remove it first")
    data = encoders[path.suffix.lower()](path, columns, rows, types)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def _jsonl(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], types: Mapping[str, type]) -> bytes:
    lines = [json.dumps({c: row.get(c) for c in columns}, ensure_ascii=False, default=str) + "\n" for row in rows]
    return "".join(lines).encode("utf-8")


def _csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], types: Mapping[str, type]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)  # its own line ends, \r\n: with others a lone \r in a cell would go unquoted
    writer.writerow(columns)
    for row in rows:
        # A list or a table in a cell is written as JSON: the only form that can be read back.
        cells = (row.get(column) for column in columns)
        writer.writerow(json.dumps(c, ensure_ascii=False) if isinstance(c, list | dict) else c for c in cells)
    return stream.getvalue().encode("utf-8")


def _parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], types: Mapping[str, type]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    arrays = []
    for column in columns:
        try:
            arrays.append(pa.array([row.get(column) for row in rows], type=arrow.get(types.get(column, object))))
        except (pa.ArrowException, TypeError) as error:
            raise OutputError(f"{path}: column {column!r} mixes types, write .jsonl instead: {error}") from error
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, names=list(columns)), sink)
    return bytes(sink.getvalue().to_pybytes())
