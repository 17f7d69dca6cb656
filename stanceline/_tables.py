"""Articles from the rows of JSONL, CSV and Parquet tables, row by row."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stanceline._files import encoding_of, open_bytes
from stanceline.errors import InputError
from stanceline.records import Article, Rejection, Sentence, is_unrelated
from stanceline.target_marking import COLUMNS as TARGET_COLUMNS

if TYPE_CHECKING:
    import _csv

Reject = Callable[[Rejection], None]

_TEXT_COLUMNS = ("text", "sentences")
_READ = ("article_id", "title", "source", "date", "register", "sentence_index", *_TEXT_COLUMNS)
_BATCH_ROWS = 1024  # rows of a Parquet file that are held at once
# With errors="surrogateescape", a byte that is not UTF-8 becomes one of these; a broken JSON escape gives the others.
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}(\.0*)?")
_LARGEST_INDEX = 10**9 - 1
_NO_TEXT_COLUMN = "has no column 'text' or 'sentences', but {found}; rename the column that holds the text"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    number: int  # from 1; the line in JSONL, else the row below the header
    place: str
    cells: Mapping[str, Any]


def table_rows(path: Path, columns: Collection[str], reject: Reject) -> Generator[Row]:
    """The rows of a table file.

    Args:
        path: A .jsonl, .csv or .parquet file; the first two may be compressed.
        columns: Columns that the table must have beside its text.
        reject: Called with each row, or table, that cannot be read.

    Raises:
        InputError: One of `columns` is not a column of the table.
    """
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path, columns, reject)
        return
    kind = jsonl_rows if ".jsonl" in [suffix.lower() for suffix in path.suffixes[-2:]] else csv_rows
    with open_bytes(path) as stream:
        yield from kind(stream, str(path), columns, reject)


def jsonl_rows(stream: io.BufferedReader, path: str, columns: Collection[str], reject: Reject) -> Generator[Row]:
    """The rows of a stream of JSON lines; see `table_rows`."""
    first = True
    with _decoded(stream, newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path} line {number}"
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                reject(Rejection("", place, f"is not JSON ({error}); write one JSON object a line"))
                continue
            if not isinstance(cells, dict):
                reject(Rejection("", place, 'is not a JSON object; write {"text": ...}, one a line'))
                continue
            if first:
                _require(columns, cells, path)
                first = False
            yield Row(number, place, cells)


def csv_rows(stream: io.BufferedReader, path: str, columns: Collection[str], reject: Reject) -> Generator[Row]:
    """The rows of a stream of comma-separated values with a header; see `table_rows`."""
    csv.field_size_limit(2**31 - 1)  # a cell may hold a whole book
    with _decoded(stream, newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            header = next(reader, [])
        except csv.Error as error:
            reject(Rejection("", path, f"is not CSV ({error}); save it again as CSV UTF-8"))
            return
        problem = _header_problem(header)
        if problem:
            reject(Rejection("", path, problem))
            return
        _require(columns, header, path)
        for number, (line, cells) in enumerate(_csv_records(reader), start=1):
            place = f"{path} line {line}"
            if isinstance(cells, csv.Error):
                reject(Rejection("", place, f"is not CSV ({cells}); check the quotes from there on"))
            elif len(cells) != len(header):
                message = f"has {len(cells)} cells, the header has {len(header)}; quote cells that hold commas"
                reject(Rejection("", place, message))
            else:
                yield Row(number, place, dict(zip(header, cells, strict=True)))


def _csv_records(reader: "_csv.Reader") -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each record, or what is wrong with it, with the line it begins at; no blank ones."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
            continue
        if cells:
            yield line, cells


def _header_problem(header: Sequence[str]) -> str | None:
    if not header:
        return "holds no rows; leave it out"
    for name in _READ:
        if header.count(name) > 1:
            return f"has the column {name!r} twice; rename one"
    if not any(name in header for name in _TEXT_COLUMNS):
        if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
            return "is not separated by commas; save it as CSV with commas"
        return _NO_TEXT_COLUMN.format(found=", ".join(map(repr, header))[:300])
    return None


def _parquet_rows(path: Path, columns: Collection[str], reject: Reject) -> Generator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            found = file.schema_arrow.names
            if not any(name in found for name in _TEXT_COLUMNS):
                reject(Rejection("", str(path), _NO_TEXT_COLUMN.format(found=", ".join(map(repr, found))[:300])))
                return
            _require(columns, found, str(path))
            wanted = [name for name in dict.fromkeys((*_READ, *TARGET_COLUMNS, *columns)) if name in found]
            for batch in file.iter_batches(_BATCH_ROWS, columns=wanted, use_threads=False):
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(number, f"{path} row {number}", cells)
    except (pa.ArrowException, OSError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        place = f"{path} row {number + 1}" if number else str(path)
        reject(Rejection("", place, f"cannot be read as Parquet from there on ({problem}); write the file again"))


@contextmanager
def _decoded(stream: io.BufferedReader, newline: str) -> Iterator[io.TextIOWrapper]:
    """The stream as text, left open; a byte that is not UTF-8 is marked, so that only its row is lost."""
    encoding = encoding_of(stream.peek(4)[:4])
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    text = io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=newline)
    try:
        yield text
    finally:
        text.detach()


def _require(columns: Collection[str], found: Collection[str], path: str) -> None:
    missing = [name for name in columns if name not in found]
    if missing:
        raise InputError(f"{path}: has no column {missing[0]!r}; its columns are {', '.join(map(repr, found))}")


def articles_of_rows(
    rows: Iterable[Row], table_id: str, columns: Sequence[str], reject: Reject
) -> Iterator[tuple[Article, str]]:
    """The articles of a table, each with its place.

    A row with `text` is an article. A row with `sentences` is an article that is already split. Rows with
    `sentence_index` and `text` are sentences; those that follow each other with one `article_id` are one article.

    Args:
        rows: The table.
        table_id: Begins the id of an article whose row has none.
        columns: Go into `extra`.
        reject: Called with each row that is left out.
    """
    group: list[tuple[Row, Sentence]] = []
    group_id = ""
    for row in rows:
        problem = _problem(row.cells)
        article_id = _string(row.cells.get("article_id"))
        if problem:
            reject(Rejection(article_id, row.place, problem))
            continue
        is_sentence = _is_given(row.cells.get("sentence_index")) and not _is_given(row.cells.get("sentences"))
        if group and (not is_sentence or article_id != group_id):
            yield _grouped(group_id, group, reject)
            group = []
        if not is_sentence:
            yield _whole(row, article_id or f"{table_id}#{row.number}", columns), row.place
            continue
        group_id = article_id
        extra = {name: row.cells.get(name) for name in columns} if columns else None
        group.append((row, Sentence(int(float(row.cells["sentence_index"])), row.cells["text"], extra=extra)))
    if group:
        yield _grouped(group_id, group, reject)


def _problem(cells: Mapping[str, Any]) -> str | None:
    """Why the row cannot be used, if it can't."""
    text, sentences, index = (cells.get(name) for name in ("text", "sentences", "sentence_index"))
    if _is_given(sentences):
        split = _as_list(sentences)
        if split is None:
            return "'sentences' is not a list of texts; write a JSON list"
        texts = split
    elif not _is_given(text):
        return "has no text; fill the cell or leave the row out"
    elif not isinstance(text, str):
        return f"'text' is {text!r:.40}, not a text; write it as a string"
    else:
        texts = [text]
    if any(_is_broken(t) for t in texts):
        return "is not UTF-8, or has a broken \\u escape; save the file as UTF-8"
    if not any(t.strip() for t in texts):
        return "has no text; fill the cell or leave the row out"
    if _is_given(index) and not _is_given(sentences):
        if not _is_index(index):
            return f"'sentence_index' is {index!r:.40}; use whole numbers from 0"
        if not _is_given(cells.get("article_id")):
            return "has a 'sentence_index' but no 'article_id'; name the article that the sentence is from"
    return None


def _whole(row: Row, article_id: str, columns: Sequence[str]) -> Article:
    sentences = row.cells.get("sentences")
    split = _as_list(sentences) if _is_given(sentences) else None
    return Article(
        article_id=article_id,
        text=row.cells["text"] if split is None else None,
        # A blank one is no sentence; the others keep their place in the list.
        sentences=None if split is None else tuple(Sentence(i, t) for i, t in enumerate(split) if t.strip()),
        extra={name: row.cells.get(name) for name in columns},
        **_about(row.cells),
    )


def _grouped(article_id: str, group: Sequence[tuple[Row, Sentence]], reject: Reject) -> tuple[Article, str]:
    """The article of consecutive rows, its sentences in the order of their index."""
    sentences: dict[int, Sentence] = {}
    for row, sentence in group:
        if sentence.index in sentences:
            message = f"'sentence_index' {sentence.index} came before in this article; number the sentences anew"
            reject(Rejection(article_id, row.place, message))
            continue
        sentences[sentence.index] = sentence
    first = group[0][0]
    ordered = tuple(sentences[index] for index in sorted(sentences))
    return Article(article_id=article_id, sentences=ordered, **_about(first.cells)), first.place


def _about(cells: Mapping[str, Any]) -> dict[str, Any]:
    title = _string(cells.get("title"))
    return {
        "title": title,
        "source": _string(cells.get("source")),
        "date": _string(cells.get("date")),
        "related": not is_unrelated(title, _string(cells.get("register"))),
    }


def _is_given(value: Any) -> bool:
    """Whether the cell holds something: not null, NaN, an empty string or an empty list."""
    return value is not None and value not in ("", []) and not (isinstance(value, float) and math.isnan(value))


def _is_index(value: Any) -> bool:
    """Whether the cell is a whole number from 0; a column with gaps holds it as 3.0, CSV as a string."""
    if isinstance(value, str):
        return bool(_WHOLE_NUMBER.fullmatch(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= _LARGEST_INDEX and float(value).is_integer()


def _is_broken(text: str) -> bool:
    return not text.isascii() and bool(_SURROGATE.search(text))


def _as_list(value: Any) -> list[str] | None:
    """A list of texts, as such or (in CSV) as a JSON list; None where it is neither."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _string(value: Any) -> str:
    """A cell of a describing column as text; 7.0 in a column with gaps was 7."""
    if not _is_given(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _SURROGATE.sub("\ufffd", str(value))
