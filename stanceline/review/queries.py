"""Reading the index: pages of sentences, articles, the queue, counts. One SQLite connection, one query at a time."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stanceline.labels import Field
from stanceline.records import is_unrelated
from stanceline.review.answers import BAD, SKIP, Answer, SentenceKey
from stanceline.review.index import IndexInfo

SORTS = {
    "article": "s.id",
    "least_certain": "{confidence}, s.id",
    "most_certain": "{confidence} DESC, s.id",
    "oldest": "a.date, s.id",
    "newest": "a.date DESC, s.id",
    "source": "a.source, a.date, s.id",
}

# Of a sentence, in the order in which they are selected.
_COLUMNS = (
    *("id", "article", "article_id", "title", "source", "date"),
    *("register", "sentence_index", "text", "start", "end", "checkpoint"),
)

_ANSWERED = """
ATTACH ':memory:' AS answered;
CREATE TABLE answered.standing (
    sentence INTEGER NOT NULL, field TEXT, annotator TEXT NOT NULL, label TEXT NOT NULL, agrees INTEGER,
    blind INTEGER NOT NULL, selection TEXT NOT NULL);
CREATE INDEX answered.by_sentence ON standing (sentence);
CREATE INDEX answered.by_annotator ON standing (annotator, field);
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sentences. Empty texts and None leave everything in."""

    field: str  # what `label` and the confidences are about
    label: str | None = None
    min_confidence: float = 0.0
    max_confidence: float = 1.0
    source: str | None = None
    date_from: str = ""  # ISO dates, also shortened to a month or a year
    date_to: str = ""  # inclusive
    find: str = ""  # anywhere in the sentence, whatever the case
    answered: bool | None = None  # by anybody, in this field


@dataclass(frozen=True, slots=True)
class FoundSentence:
    """A sentence of the index."""

    id: int
    article: int  # the index's own number of the article
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
    predictions: Mapping[str, Mapping[str, Any]]  # field -> label, confidence, probabilities

    @property
    def key(self) -> SentenceKey:
        """What answers are joined by."""
        return self.article_id, self.sentence_index, self.text

    @property
    def is_unrelated(self) -> bool:
        """Whether its neighbours have nothing to do with it."""
        return is_unrelated(self.title, self.register)


class Queries:
    """Questions to an index, and to the answers beside it.

    Args:
        index: A finished index.
        info: What it says of itself.
    """

    def __init__(self, index: Path, info: IndexInfo) -> None:
        self.info = info
        self.fields = {field.name: (number, field) for number, field in enumerate(info.fields)}
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(f"{index.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._connection.executescript(_ANSWERED)
        predicted = ", ".join(f"s.f{n}_label, s.f{n}_confidence, s.f{n}_p" for n in range(len(info.fields)))
        self._select = f"""
            SELECT s.id, s.article, a.article_id, a.title, a.source, a.date, a.register, s.sentence_index, s.text,
                   s.start, s.end, s.checkpoint, {predicted}
            FROM sentences s JOIN articles a ON a.id = s.article"""

    def close(self) -> None:
        """Lets go of the index."""
        with self._lock:
            self._connection.close()

    def has_field(self, name: str) -> bool:
        """Whether the predictions have such a field."""
        return name in self.fields

    def field(self, name: str) -> Field:
        """A field by name; the caller knows that it is there."""
        return self.fields[name][1]

    def sentence(self, number: int) -> FoundSentence | None:
        """The sentence of that number."""
        found = self._sentences("WHERE s.id = ?", (number,))
        return found[0] if found else None

    def by_key(self, article_id: str, sentence_index: int) -> FoundSentence | None:
        """The sentence of that identity."""
        where = "WHERE s.article = (SELECT id FROM articles WHERE article_id = ?) AND s.sentence_index = ?"
        found = self._sentences(where, (article_id, sentence_index))
        return found[0] if found else None

    def neighbours(self, sentence: FoundSentence, before: int, after: int) -> list[FoundSentence]:
        """The sentences around one, itself not among them, in the order of the text."""
        near = "WHERE s.article = ? AND s.sentence_index {} ? ORDER BY s.sentence_index {} LIMIT ?"
        place = (sentence.article, sentence.sentence_index)
        earlier = self._sentences(near.format("<", "DESC"), (*place, before))
        return earlier[::-1] + self._sentences(near.format(">", "ASC"), (*place, after))

    def find(self, wanted: Filter, sort: str, offset: int, limit: int) -> tuple[int, list[FoundSentence]]:
        """How many sentences a filter leaves, and a page of them."""
        where, values = self._where(wanted)
        order = SORTS[sort].format(confidence=f"s.f{self.fields[wanted.field][0]}_confidence")
        counted = f"SELECT count(*) FROM sentences s JOIN articles a ON a.id = s.article {where}"
        ((total,),) = self._rows(counted, values)
        page = self._sentences(f"{where} ORDER BY {order} LIMIT ? OFFSET ?", (*values, limit, offset))
        return int(total), page

    def article_sentences(self, article: int, offset: int, limit: int) -> list[FoundSentence]:
        """A page of an article."""
        where = "WHERE s.article = ? ORDER BY s.sentence_index LIMIT ? OFFSET ?"
        return self._sentences(where, (article, limit, offset))

    def article(self, number: int) -> dict[str, Any] | None:
        """What is known of an article, with its neighbours and the counts of each field's labels."""
        columns = ("id", "article_id", "title", "source", "date", "register", "sentences")
        rows = self._rows(f"SELECT {', '.join(columns)} FROM articles WHERE id = ?", (number,))
        if not rows:
            return None
        counts: dict[str, dict[str, int]] = {}
        for name, (place, field) in self.fields.items():
            query = f"SELECT f{place}_label, count(*) FROM sentences WHERE article = ? GROUP BY 1"
            counts[name] = {**dict.fromkeys(field.labels, 0), **dict(self._rows(query, (number,)))}
        found = dict(zip(columns, rows[0], strict=True))
        is_running_text = not is_unrelated(found["title"], found.pop("register"))
        return {**found, "counts": counts, "is_running_text": is_running_text}

    def articles(self, find: str, source: str | None, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many articles have a text in title or id, and a page of them in the order of the file."""
        clauses, values = ["instr(folded, ?) > 0"], [find.casefold()]
        if source is not None:
            clauses.append("source = ?")
            values.append(source)
        where = f"FROM articles WHERE {' AND '.join(clauses)}"
        ((total,),) = self._rows(f"SELECT count(*) {where}", values)
        columns = ("id", "article_id", "title", "source", "date", "sentences")
        rows = self._rows(f"SELECT {', '.join(columns)} {where} ORDER BY id LIMIT ? OFFSET ?", (*values, limit, offset))
        return int(total), [dict(zip(columns, row, strict=True)) for row in rows]

    def sources(self) -> list[dict[str, Any]]:
        """The sources with the number of their sentences, the largest first."""
        rows = self._rows("SELECT source, sum(sentences) FROM articles GROUP BY source ORDER BY 2 DESC, 1", ())
        return [{"source": source, "sentences": count} for source, count in rows]

    def label_counts(self, wanted: Filter) -> list[tuple[int, str, str, str, int]]:
        """Article, source, date, label and the number of its sentences, for all that the filter leaves."""
        where, values = self._where(wanted)
        return self._rows(
            f"""SELECT a.id, a.source, a.date, s.f{self.fields[wanted.field][0]}_label AS label, count(*)
                FROM sentences s JOIN articles a ON a.id = s.article {where} GROUP BY a.id, label ORDER BY a.id""",
            values,
        )

    def unanswered(self, field: str, annotator: str, order: str, count: int, *, others: bool) -> list[int]:
        """Numbers of sentences that are still to be answered in a field.

        Args:
            field: The field.
            annotator: Who asks; what they answered, or skipped, does not come again.
            order: `uncertain` or `random`.
            count: How many at most.
            others: Ask also about what somebody else answered.
        """
        column = "rank" if order == "random" else f"f{self.fields[field][0]}_confidence"
        whose = "n.annotator = ?" if others else f"(n.annotator = ? OR n.label <> '{SKIP}')"
        rows = self._rows(
            f"""SELECT s.id FROM sentences s WHERE NOT EXISTS (
                    SELECT 1 FROM answered.standing n
                    WHERE n.sentence = s.id AND (n.field = ? OR n.field IS NULL) AND {whose})
                ORDER BY s.{column}, s.id LIMIT ?""",
            (field, annotator, count),
        )
        return [row[0] for row in rows]

    def set_standing(self, sentence: int, answers: Iterable[Answer]) -> None:
        """Replaces what is known of the answers about a sentence."""
        rows = [(sentence, a.field, a.annotator, a.label, a.agrees, a.blind, a.selection) for a in answers]
        with self._lock:
            self._connection.execute("DELETE FROM answered.standing WHERE sentence = ?", (sentence,))
            self._connection.executemany("INSERT INTO answered.standing VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def progress(self, field: str, annotator: str) -> dict[str, int]:
        """Counts of one person's answers in a field; only blind ones count for the agreement with the model."""
        names = ("answered", "skipped", "bad", "compared", "agreed", "random_compared", "random_agreed", "queued")
        (row,) = self._rows(
            f"""SELECT count(*) FILTER (WHERE label NOT IN ('{SKIP}', '{BAD}')),
                   count(*) FILTER (WHERE label = '{SKIP}'),
                   count(*) FILTER (WHERE label = '{BAD}'),
                   count(*) FILTER (WHERE blind AND agrees IS NOT NULL),
                   count(*) FILTER (WHERE blind AND agrees = 1),
                   count(*) FILTER (WHERE blind AND agrees IS NOT NULL AND selection = 'random'),
                   count(*) FILTER (WHERE blind AND agrees = 1 AND selection = 'random'),
                   count(*) FILTER (WHERE selection <> 'browsed')
                FROM answered.standing WHERE annotator = ? AND (field = ? OR field IS NULL)""",
            (annotator, field),
        )
        return dict(zip(names, row, strict=True))

    def _where(self, wanted: Filter) -> tuple[str, list[Any]]:
        place = self.fields[wanted.field][0]
        clauses: list[tuple[str, tuple[Any, ...]]] = []
        if wanted.label is not None:
            clauses.append((f"s.f{place}_label = ?", (wanted.label,)))
        if wanted.min_confidence > 0:
            clauses.append((f"s.f{place}_confidence >= ?", (wanted.min_confidence,)))
        if wanted.max_confidence < 1:
            clauses.append((f"s.f{place}_confidence <= ?", (wanted.max_confidence,)))
        if wanted.source is not None:
            clauses.append(("a.source = ?", (wanted.source,)))
        if wanted.date_from:
            clauses.append(("a.date >= ?", (wanted.date_from,)))
        if wanted.date_to:
            clauses.append(("a.date <> '' AND substr(a.date, 1, length(?)) <= ?", (wanted.date_to, wanted.date_to)))
        if wanted.find:
            clauses.append(("instr(s.folded, ?) > 0", (wanted.find.casefold(),)))
        if wanted.answered is not None:
            exists = "EXISTS" if wanted.answered else "NOT EXISTS"
            standing = "SELECT 1 FROM answered.standing n WHERE n.sentence = s.id AND (n.field = ? OR n.field IS NULL)"
            clauses.append((f"{exists} ({standing})", (wanted.field,)))
        where = " AND ".join(clause for clause, _ in clauses)
        return f"WHERE {where}" if where else "", [value for _, values in clauses for value in values]

    def _sentences(self, where: str, values: Sequence[Any]) -> list[FoundSentence]:
        return [self._sentence(row) for row in self._rows(f"{self._select} {where}", values)]

    def _sentence(self, row: Sequence[Any]) -> FoundSentence:
        predictions = {}
        for name, (place, field) in self.fields.items():
            label, confidence, probabilities = row[12 + 3 * place : 15 + 3 * place]
            named = dict(zip(field.labels, json.loads(probabilities), strict=True))
            predictions[name] = {"label": label, "confidence": confidence, "probabilities": named}
        return FoundSentence(**dict(zip(_COLUMNS, row[:12], strict=True)), predictions=predictions)

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()
