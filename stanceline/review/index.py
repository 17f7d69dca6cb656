"""SQLite index of a predictions file: made once, never changed, rebuilt when the file is another one.

Nothing is kept here that is not in the predictions file: deleting the index loses time only.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stanceline.errors import InputError, OutputError
from stanceline.labels import SENTIMENT_FIELD, SENTIMENT_LABELS, STANCE_LABELS, Field
from stanceline.review.predictions import PlacedRow, PredictedRow, read_predictions

FORMAT = 1
Progress = Callable[[int, float], None]  # sentences so far, fraction of the file
_CHUNK = 2000  # rows between two reports of progress


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What an index says of itself."""

    key: str
    fields: tuple[Field, ...]
    sentences: int
    articles: int
    checkpoints: tuple[str, ...]


def index_key(predictions: Path, seed: int) -> str:
    """Changes when the predictions file or the seed of the random share does: its path, size and time of change."""
    found = predictions.stat()
    identity = f"{FORMAT}/{predictions.resolve()}/{found.st_size}/{found.st_mtime_ns}/{seed}"
    return hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:16]


def read_info(index: Path) -> IndexInfo | None:
    """What a finished index says of itself; None where there is none, or the file is something else."""
    if not index.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{index.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
        return IndexInfo(
            key=meta["key"],
            fields=tuple(
                Field(name, SENTIMENT_LABELS if name == SENTIMENT_FIELD else STANCE_LABELS)
                for name in json.loads(meta["fields"])
            ),
            sentences=int(meta["sentences"]),
            articles=int(meta["articles"]),
            checkpoints=tuple(json.loads(meta["checkpoints"])),
        )
    except (sqlite3.DatabaseError, KeyError, ValueError):
        return None


def build_index(predictions: Path, fields: tuple[Field, ...], index: Path, seed: int, progress: Progress) -> IndexInfo:
    """Reads the predictions file into an index beside, and gives it its name when it is whole.

    Raises:
        InputError: A row is not a prediction, or a sentence stands twice.
        OutputError: The index cannot be written.
    """
    key = index_key(predictions, seed)
    partial = index.with_name(f"{index.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(partial)) as connection:
            # It is thrown away if anything goes wrong, so that a journal would only cost time.
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            connection.executescript(_schema(fields))
            _Filler(connection, fields, seed).fill(read_predictions(predictions, fields), progress)
            info = _finish(connection, fields, key)
            connection.commit()
        if info.sentences == 0:
            raise InputError(f"{predictions}: holds no predictions; write it with classify")
        partial.replace(index)
        return info
    except (sqlite3.OperationalError, OSError) as error:
        raise OutputError(f"{index}: the index cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _schema(fields: tuple[Field, ...]) -> str:
    columns = "".join(
        f", f{n}_label TEXT NOT NULL, f{n}_confidence REAL NOT NULL, f{n}_p TEXT NOT NULL" for n in range(len(fields))
    )
    return f"""
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE articles (
        id INTEGER PRIMARY KEY, article_id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, source TEXT NOT NULL,
        date TEXT NOT NULL, register TEXT NOT NULL, folded TEXT NOT NULL, sentences INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE sentences (
        id INTEGER PRIMARY KEY, article INTEGER NOT NULL, sentence_index INTEGER NOT NULL, text TEXT NOT NULL,
        folded TEXT NOT NULL, start INTEGER, end INTEGER, checkpoint TEXT NOT NULL, rank INTEGER NOT NULL{columns},
        UNIQUE (article, sentence_index));
    """


class _Filler:
    """Puts rows into the tables."""

    def __init__(self, connection: sqlite3.Connection, fields: tuple[Field, ...], seed: int) -> None:
        self.connection = connection
        self.seed = seed
        self.articles: dict[str, int] = {}
        self.insert = f"INSERT INTO sentences VALUES ({', '.join('?' * (9 + 3 * len(fields)))})"

    def fill(self, rows: Iterator[PlacedRow], progress: Progress) -> None:
        for count, placed in enumerate(rows, start=1):
            try:
                self.connection.execute(self.insert, self._values(count, placed.row))
            except sqlite3.IntegrityError as error:
                name = f"sentence {placed.row.sentence_index} of article {placed.row.article_id!r}"
                raise InputError(f"{placed.place}: {name} stands before already; keep one of them") from error
            if count % _CHUNK == 0:
                progress(count, placed.fraction)

    def _values(self, number: int, row: PredictedRow) -> list[Any]:
        values: list[Any] = [number, self._article(row), row.sentence_index, row.text, row.text.casefold()]
        values += [row.start, row.end, row.checkpoint, self._rank(row)]
        for label, confidence, probabilities in zip(row.labels, row.confidences, row.probabilities, strict=True):
            values += [label, confidence, str(list(probabilities))]  # JSON, and faster than json.dumps
        return values

    def _article(self, row: PredictedRow) -> int:
        number = self.articles.get(row.article_id)
        if number is None:
            number = self.articles[row.article_id] = len(self.articles) + 1
            folded = f"{row.title}\n{row.article_id}".casefold()
            values = (number, row.article_id, row.title, row.source, row.date, row.register, folded)
            self.connection.execute("INSERT INTO articles VALUES (?, ?, ?, ?, ?, ?, ?, 0)", values)
        return number

    def _rank(self, row: PredictedRow) -> int:
        """The place of a sentence in the random order: the same for the same seed, whatever the file's order."""
        text = f"{self.seed}/{row.article_id}/{row.sentence_index}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def _finish(connection: sqlite3.Connection, fields: tuple[Field, ...], key: str) -> IndexInfo:
    for number in range(len(fields)):
        connection.execute(f"CREATE INDEX by_f{number} ON sentences (f{number}_confidence)")
    connection.execute("CREATE INDEX by_rank ON sentences (rank)")
    connection.execute(
        "UPDATE articles SET sentences = (SELECT count(*) FROM sentences WHERE sentences.article = articles.id)"
    )
    (sentences,) = connection.execute("SELECT count(*) FROM sentences").fetchone()
    (articles,) = connection.execute("SELECT count(*) FROM articles").fetchone()
    checkpoints = tuple(row[0] for row in connection.execute("SELECT DISTINCT checkpoint FROM sentences ORDER BY 1"))
    meta = {
        "key": key,
        "fields": json.dumps([field.name for field in fields]),
        "sentences": str(sentences),
        "articles": str(articles),
        "checkpoints": json.dumps(checkpoints),
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    return IndexInfo(key, fields, sentences, articles, checkpoints)
