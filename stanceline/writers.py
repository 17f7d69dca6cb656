"""Labelled sentences, to files: under their final name only when they are whole."""

import gzip
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, TextIO, cast

from stanceline._row_formats import CsvRows, JsonRows, ParquetRows, Rows, as_json_value
from stanceline.errors import OutputError
from stanceline.labels import Field
from stanceline.records import Prediction

Format = Literal["jsonl", "csv", "parquet"]

FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}


def open_writer(
    path: str | Path | TextIO,
    *,
    scheme_fields: Sequence[Field],
    columns: Sequence[str] = (),
    uncertain: bool = False,
    format: Format | None = None,  # noqa: A002
    force: bool = False,
) -> "Writer":
    """A writer of predictions, to be used in a `with` block.

    The keys and their order are the same in every format. In CSV a null is an empty cell. In Parquet a column that
    was carried through is text: what was no string is written as JSON, so that every part of a corpus has one schema.

    Args:
        path: A .jsonl, .csv or .parquet file; behind the first two .gz may stand. Or a stream, which gets JSONL
            unless `format` says csv.
        scheme_fields: The fields of the predictions.
        columns: The input's own columns that each row carries.
        uncertain: Whether each row tells for each field whether it is uncertain.
        format: Overrides the suffix.
        force: Replace a file that is there.

    Raises:
        OutputError: The file exists, cannot be written there, or its suffix is of no known format.
    """
    types = row_types(scheme_fields, columns, uncertain)
    if isinstance(path, str | Path):
        path = Path(path)
        check_output(path, force=force, format=format)
        return Writer(path, format or _format_of(path), types, columns)
    if format == "parquet":
        raise OutputError("Parquet cannot be written to a stream; name an output file")
    return Writer(path, format or "jsonl", types, columns)


def row_columns(scheme_fields: Sequence[Field], columns: Sequence[str] = (), *, uncertain: bool = False) -> list[str]:
    """The names of a row's columns, in order.

    Raises:
        OutputError: One of `columns`, carried through from the input, is a column of the predictions.
    """
    return list(row_types(scheme_fields, columns, uncertain))


def row_types(scheme_fields: Sequence[Field], columns: Sequence[str], uncertain: bool) -> dict[str, type]:
    """The type of each column of a row, in order.

    Raises:
        OutputError: As `row_columns`.
    """
    types: dict[str, type] = {
        "article_id": str,
        "title": str,
        "source": str,
        "date": str,
        "sentence_index": int,
        "text": str,
    }
    types.update({field.name: str for field in scheme_fields})
    types.update({"start": int, "end": int})
    for field in scheme_fields:
        types[f"{field.name}_confidence"] = float
        types.update({f"{field.name}_p_{label}": float for label in field.labels})
    types["checkpoint"] = str
    if uncertain:
        types.update({f"{field.name}_uncertain": bool for field in scheme_fields})
    for name in columns:
        if name in types:
            raise OutputError(
                f"column {name!r} of the input is a column of the predictions too; rename it in the input"
            )
    return types | dict.fromkeys(columns, str)


def check_output(path: Path, *, force: bool = False, format: Format | None = None) -> None:  # noqa: A002
    """Refuses an output that cannot be written, before any work is done.

    Raises:
        OutputError: It exists and `force` is not set, its folder doesn't exist, or its suffix is of no known format.
    """
    if format is None:
        _format_of(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not force:
        raise OutputError(f"{path}: exists already; choose another name, or overwrite it with --force")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} cannot be written to; choose another")


def _format_of(path: Path) -> Format:
    compressed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if compressed else path.suffix.lower()
    if suffix not in FORMATS or (compressed and suffix == ".parquet"):
        raise OutputError(f"{path}: {path.suffix!r} is no format of the output; use .jsonl, .csv or .parquet")
    return FORMATS[suffix]


class Writer:
    """Writes rows to NAME.partial, which gets its name when the `with` block ends well and is removed otherwise.

    Args:
        target: A file, or a stream that is written to as it is and left open.
        format: Of the rows.
        types: Of all columns, in order.
        carried: Those among them that come from the input.
    """

    def __init__(
        self,
        target: Path | TextIO,
        format: Format,  # noqa: A002
        types: Mapping[str, type],
        carried: Sequence[str],
    ) -> None:
        self._target = target
        self._format = format
        self._types = types
        self._carried = tuple(carried)
        self._partial: _PartialFile | None = None
        self._rows: Rows | None = None

    def __enter__(self) -> Self:
        if not isinstance(self._target, Path):
            self._rows = (CsvRows if self._format == "csv" else JsonRows)(self._target, self._types)
            return self
        self._partial = _PartialFile(self._target)
        try:
            self._rows = self._rows_in(self._partial.stream, self._target)
        except OSError as error:
            self._partial.abandon()
            raise self._partial.failure(error) from error
        return self

    def _rows_in(self, stream: IO[bytes], path: Path) -> Rows:
        if self._format == "parquet":
            return ParquetRows(stream, self._types, self._carried)
        if path.suffix.lower() == ".gz":
            # No name and time inside: the same rows are the same bytes.
            stream = cast(IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        return (CsvRows if self._format == "csv" else JsonRows)(text, self._types)

    def write(self, rows: Sequence[Prediction]) -> None:
        """Writes predictions.

        Raises:
            OutputError: They cannot be written, the disk is full for example.
        """
        self.write_rows(prediction.to_row() for prediction in rows)

    def write_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Writes rows as `Prediction.to_row` gives them; a missing key is a null.

        Raises:
            OutputError: They cannot be written, the disk is full for example.
            ValueError: A row has a key that was not declared.
        """
        if self._rows is None:
            raise ValueError("the writer is not open; use it in a with block")
        for row in rows:
            if not self._types.keys() >= row.keys():
                raise ValueError(f"undeclared columns {sorted(row.keys() - self._types.keys())}")
            cells = {name: row.get(name) for name in self._types}
            for name in self._carried:
                cells[name] = as_json_value(cells[name])
            try:
                self._rows.write(cells)
            except OSError as error:
                if self._partial is None:
                    raise  # a broken pipe is the command line's to end quietly
                raise self._partial.failure(error) from error
        if self._partial is None:
            self._rows.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rows, self._rows = self._rows, None
        if self._partial is None:
            return
        if rows is None:
            self._partial.abandon()
        elif kind is not None:
            rows.abandon()
            self._partial.abandon()
        else:
            try:
                rows.close()
            except OSError as problem:
                rows.abandon()
                self._partial.abandon()
                raise self._partial.failure(problem) from problem
            self._partial.commit()


class _PartialFile:
    """A file under the name NAME.partial until it is committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        try:
            self.stream = self._partial.open("wb")
        except OSError as error:
            raise self.failure(error) from error

    def failure(self, error: OSError) -> OutputError:
        """The system's error as ours."""
        return OutputError(f"{self.path}: cannot be written: {error.strerror or error}; choose another place")

    def commit(self) -> None:
        """Makes the content durable and gives it its name.

        Raises:
            OutputError: The disk is full, for example; the file is removed.
        """
        try:
            self.stream.flush()
            os.fsync(self.stream.fileno())
            self.stream.close()
            self._partial.replace(self.path)
        except OSError as error:
            self.abandon()
            raise self.failure(error) from error

    def abandon(self) -> None:
        """Removes it."""
        with suppress(OSError):  # what could not be flushed is not wanted any more
            self.stream.close()
        self._partial.unlink(missing_ok=True)
