"""Articles from files, folders and standard input, one after the other, in bounded memory."""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from stanceline._files import (
    COMPRESSED,
    READ_ERRORS,
    UnreadableError,
    decode,
    decode_chunks,
    decode_html,
    encoding_of,
    open_bytes,
    read_up_to,
)
from stanceline._inputs import InputFile, Inputs
from stanceline._tables import Row, articles_of_rows, csv_rows, jsonl_rows, table_rows
from stanceline.errors import UsageError
from stanceline.language import foreign_language_of
from stanceline.records import Article, Rejection, Sentence
from stanceline.sentences import split_stream, title_of
from stanceline.target_marking import OFFSETS, problem_of

if TYPE_CHECKING:
    import sqlite3

Reject = Callable[[Rejection], None]

_HELD = 16 * 2**20  # bytes of one text file that are held as a whole; a longer one is split while it is read
_FEW_IDS = 10_000  # that are held in memory
_STDIN = "stdin"  # the id of what comes from standard input
# Columns of every output row: an input's own column of that name has no place beside them.
_OUTPUT_COLUMNS = ("article_id", "title", "source", "date", "sentence_index", "text", "start", "end", "checkpoint")
_JSON_ROW = re.compile(r"\s*\{\s*\"")
_NO_TEXT = "holds no text; leave it out"


def read_articles(
    inputs: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    any_language: bool = False,
    columns: Sequence[str] = (),
    marked: bool = False,
    reject: Reject,
) -> Iterator[Article]:
    """The articles of the inputs, lazily and in a fixed order; what cannot be read is rejected, the rest goes on.

    Texts (.txt, .md) and pages (.html, .htm, main text only) are an article each. Tables (.jsonl, .csv, .parquet)
    have an article a row (`text`, or `sentences` where it is already split), or a sentence a row (`sentence_index`
    and `text`, rows of one `article_id` together). Beside these they may have `title, source, date, register`.
    All but Parquet may be compressed (.gz, .zst). A file that is named itself and has another suffix is read as text.

    An article's id is the row's `article_id`; without one it is the file's path relative to the input, followed by
    `#` and the row in a table. An id that comes again is rejected: sentences are told apart by it.

    Args:
        inputs: Files, folders (with all below them), patterns, or `-` for standard input, which may be JSONL or CSV
            (if its first line says so) or one text.
        stdin: What `-` stands for; by default standard input.
        any_language: Take articles in other languages than English too.
        columns: Columns of the tables that go into `Article.extra`, or where a row is a sentence `Sentence.extra`.
        marked: Reject articles whose targets cannot be marked; their offsets, if among `columns`, may be missing.
        reject: Called with each article, row or file that is left out.

    Raises:
        InputError: At once: an input does not exist, or a folder has nothing to read. Also, when a table is reached
            (at once, where it is named itself): it lacks one of `columns`.
        UsageError: One of `columns` is a column of the output anyway.
    """
    for name in columns:
        if name in _OUTPUT_COLUMNS:
            raise UsageError(f"--columns {name}: the output has that column anyway; leave it out")
    found = Inputs(inputs)
    for file in found.named_tables() if columns else ():
        _check_columns(file, required_columns(columns, marked=marked))
    return _Reader(stdin, any_language, tuple(columns), marked, reject).articles(found)


def required_columns(columns: Sequence[str], *, marked: bool) -> tuple[str, ...]:
    """Those of the wanted columns that a table must have: where targets are marked, it may go without their offsets."""
    return tuple(name for name in columns if not (marked and name in OFFSETS))


def articles_of_table(
    rows: Iterable[Row],
    *,
    any_language: bool = False,
    columns: Sequence[str] = (),
    marked: bool = False,
    reject: Reject,
) -> Iterator[Article]:
    """The articles of a table that something else has read; as `read_articles` gives those of a file."""
    reader = _Reader(None, any_language, tuple(columns), marked, reject)
    return reader.accepted(articles_of_rows(rows, "", reader.columns, reject))


def count_inputs(inputs: Sequence[str]) -> int | None:
    """The number of articles that the inputs hold, or None where only reading them would tell.

    Raises:
        InputError: As `read_articles`.
    """
    count = 0
    for file in Inputs(inputs):
        rows = _count(file)
        if rows is None:
            return None
        count += rows
    return count


def list_inputs(inputs: Sequence[str]) -> list[dict[str, str | int]]:
    """What the inputs are, as JSON: each file's `path`, `bytes` and `modified` (ns), by which a change is seen.

    Raises:
        InputError: As `read_articles`.
    """
    listed: list[dict[str, str | int]] = []
    for file in Inputs(inputs):
        about: dict[str, str | int] = {"path": "-" if file is None else str(file.path)}
        if file is not None and file.path.exists():  # a link may lead nowhere
            status = file.path.stat()
            about |= {"bytes": status.st_size, "modified": status.st_mtime_ns}
        listed.append(about)
    return listed


def _count(file: InputFile | None) -> int | None:
    if file is None or file.kind in ("jsonl", "csv"):
        return None
    if file.kind != "parquet":
        return 1
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file.path) as table:
            return None if "sentence_index" in table.schema_arrow.names else int(table.metadata.num_rows)
    except (pa.ArrowException, OSError):
        return 1  # it will be rejected, which is also a step


def _check_columns(file: InputFile, columns: Sequence[str]) -> None:
    try:
        with closing(table_rows(file.path, columns, lambda _: None)) as rows:
            next(rows, None)
    except (*READ_ERRORS, UnicodeDecodeError):
        return  # reported when its turn comes


@dataclass(frozen=True, slots=True)
class _Reader:
    stdin: BinaryIO | None
    any_language: bool
    columns: tuple[str, ...]
    marked: bool
    reject: Reject

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a table must have."""
        return required_columns(self.columns, marked=self.marked)

    def articles(self, inputs: Inputs) -> Iterator[Article]:
        """The articles of all inputs that are in English and whose id is new."""
        return self.accepted(pair for file in inputs for pair in self._of_file(file))

    def accepted(self, found: Iterable[tuple[Article, str]]) -> Iterator[Article]:
        """Those among articles, each given with its place, that are in English and whose id is new."""
        with closing(_SeenIds()) as seen:
            for article, place in found:
                if not seen.add(article.article_id):
                    self.reject(Rejection(article.article_id, place, _doubled(article)))
                elif not self.any_language and (language := foreign_language_of(article)) is not None:
                    message = f"is in {language}, and the labels hold for English; leave it out or use --any-language"
                    self.reject(Rejection(article.article_id, place, message))
                elif self.marked and (problem := problem_of(article)) is not None:
                    self.reject(Rejection(article.article_id, place, problem))
                else:
                    yield article

    def _of_file(self, file: InputFile | None) -> Iterator[tuple[Article, str]]:
        """The articles of one file with their places; a file that gives neither article nor rejection is rejected."""
        path = _STDIN if file is None else str(file.path)
        silent = True

        def reject(rejection: Rejection) -> None:
            nonlocal silent
            silent = False
            self.reject(rejection)

        try:
            for article, place in self._of_stdin(reject) if file is None else self._of_kind(file, reject):
                silent = False
                yield article, place
        except UnreadableError as error:
            reject(Rejection(_STDIN if file is None else file.file_id, path, str(error)))
        except UnicodeDecodeError:
            reject(Rejection("", path, "is not valid UTF-16 from there on; save it as UTF-8"))
        except READ_ERRORS as error:
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reject(Rejection("" if file is None else file.file_id, path, f"cannot be read ({problem}); check the file"))
        if silent:
            reject(Rejection("", path, "holds no rows; leave it out"))

    def _of_kind(self, file: InputFile, reject: Reject) -> Iterator[tuple[Article, str]]:
        if file.kind is None:
            raise UnreadableError(file.problem or _why_not_read(file.path))
        if file.kind in ("jsonl", "csv", "parquet"):
            with closing(table_rows(file.path, self.required, reject)) as rows:
                yield from articles_of_rows(rows, file.file_id, self.columns, reject)
            return
        # What can be read only once, a pipe for example, is held whatever its size; so is a page.
        streamed = file.kind == "text" and file.path.is_file()
        with open_bytes(file.path) as stream:
            data = read_up_to(stream, _HELD + 1) if streamed else stream.read()
        if not data:
            raise UnreadableError("is empty; leave it out")
        if file.kind == "html":
            article = _page_article(file.file_id, decode_html(data))
        elif len(data) <= _HELD or not streamed:
            article = _text_article(file.file_id, decode(data))
        else:
            del data
            article = _huge_article(file)
        yield article, str(file.path)

    def _of_stdin(self, reject: Reject) -> Iterator[tuple[Article, str]]:
        stream: io.BufferedReader = io.BufferedReader(cast(io.RawIOBase, self.stdin or sys.stdin.buffer), 1 << 16)
        try:
            head = stream.peek()
            first_line = next(iter(head.decode(encoding_of(head), "replace").splitlines()), "")
            rows_of = jsonl_rows if _JSON_ROW.match(first_line) else csv_rows if _is_csv_header(first_line) else None
            if rows_of:
                with closing(rows_of(stream, _STDIN, self.required, reject)) as rows:
                    yield from articles_of_rows(rows, _STDIN, self.columns, reject)
                return
            data = stream.read()
        finally:
            stream.detach()  # it isn't ours to close
        if not data:
            raise UnreadableError("is empty; pipe a text or a table into it")
        yield _text_article(_STDIN, decode(data)), _STDIN


def _text_article(article_id: str, text: str) -> Article:
    if not text.strip():
        raise UnreadableError(_NO_TEXT)
    return Article(article_id=article_id, text=text, title=title_of(text))


def _page_article(article_id: str, html: str) -> Article:
    from stanceline._html import read_page

    page = read_page(html)
    if not page.text.strip():
        raise UnreadableError("has no main text; save the article itself, or its text as .txt")
    return Article(article_id=article_id, text=page.text, title=page.title, source=page.source, date=page.date)


def _huge_article(file: InputFile) -> Article:
    """An article whose sentences are split while they are read; the file is checked to its end before."""
    with open_bytes(file.path) as stream:
        chunks = decode_chunks(stream)
        head = next(chunks)
        if not any(chunk.strip() for chunk in chain([head], chunks)):
            raise UnreadableError(_NO_TEXT)
        for _ in chunks:
            pass
    return Article(article_id=file.file_id, sentences=_SplitOnTheWay(file.path), title=title_of(head))


@dataclass(frozen=True, slots=True)
class _SplitOnTheWay:
    """The sentences of a text file, read and split anew at each iteration."""

    path: Path

    def __iter__(self) -> Iterator[Sentence]:
        with open_bytes(self.path) as stream:
            yield from split_stream(decode_chunks(stream))


def _is_csv_header(line: str) -> bool:
    try:
        cells = next(csv.reader([line]), [])
    except csv.Error:
        return False
    return "text" in cells or "sentences" in cells


def _doubled(article: Article) -> str:
    if article.sentences is not None:
        return "its article_id came before; put the rows of one article together, and name each article once"
    return (
        "its article_id came before; make the ids unique, number the sentences of one article in a column "
        "'sentence_index', or name the folder above the inputs instead of the inputs"
    )


def _why_not_read(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return "is JSON; write one object a line and name it .jsonl"
    if suffix in (".tsv", ".xls", ".xlsx"):
        return "is a table of a kind that isn't read; save it as CSV with commas"
    if suffix in COMPRESSED:
        return "is a compressed file of a kind that isn't read; unpack it"
    return f"is a {suffix} file, which isn't read; save it as .txt or .html"


class _SeenIds:
    """Which ids came before; on disk where they are many, so that any number of them needs little memory."""

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._many: sqlite3.Connection | None = None

    def add(self, article_id: str) -> bool:
        """Whether the id is new; from now on it isn't."""
        digest = blake2b(article_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "big", signed=True)
        if self._many is not None:
            return self._many.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,)).rowcount == 1
        if number in self._few:
            return False
        self._few.add(number)
        if len(self._few) >= _FEW_IDS:
            self._many = _ids_on_disk(self._few)
            self._few = set()
        return True

    def close(self) -> None:
        """Gives the disk space back."""
        if self._many is not None:
            self._many.close()


def _ids_on_disk(ids: set[int]) -> "sqlite3.Connection":
    import sqlite3

    # The generator that owns it may be consumed in another thread than the one that started it. "" is a file without
    # a name, which is gone when it is closed; nothing of it has to survive.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA cache_size = -8000")  # KiB
    database.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY)")
    database.execute("BEGIN")
    database.executemany("INSERT INTO seen VALUES (?)", ((number,) for number in ids))
    return database
