"""What a report needs of a predictions file, gathered row by row: memory grows with the articles, not with the text."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stanceline.errors import InputError
from stanceline.labels import SENTIMENT_FIELD, Field
from stanceline.review.predictions import PlacedRow, PredictedRow, read_fields, read_predictions

QUOTES = 8  # sentences of each list
SENTENCES_SHOWN = 200  # of one article

Report = Callable[[float], None]  # how far the reading has got, 0 to 1


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """Where sentences come from: what the first row of the article says."""

    article_id: str
    title: str
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Quotes:
    """Sentences of one field that are worth reading, each text once."""

    first: tuple[PredictedRow, ...]  # of the first label (favor, positive), the surest first
    second: tuple[PredictedRow, ...]  # of the second label (against, negative), the surest first
    uncertain: tuple[PredictedRow, ...]  # the least certain first


@dataclass(frozen=True, slots=True)
class Tally:
    """A predictions file, added up."""

    fields: tuple[Field, ...]
    articles: tuple[ArticleInfo, ...]
    counts: dict[str, NDArray[np.int64]]  # field -> (G, L) predicted labels of each article
    quotes: dict[str, Quotes]
    checkpoints: Counter[str]  # reference -> sentences

    @property
    def sentences(self) -> int:
        """How many sentences there are."""
        return self.checkpoints.total()


@dataclass(frozen=True, slots=True)
class ShownArticle:
    """An article whose sentences are shown."""

    info: ArticleInfo
    rows: tuple[PredictedRow, ...]  # in the order of the article
    sentences: int  # of the article, shown or not


def tally_predictions(path: Path, report: Report) -> Tally:
    """Adds up a predictions file.

    Raises:
        InputError: It cannot be read, is empty, or has a sentence twice.
    """
    fields = read_fields(path)
    gathering = _Gathering(fields)
    for placed in read_predictions(path, fields):
        gathering.add(placed)
        report(placed.fraction)
    return gathering.tally()


def choose_articles(tally: Tally, limit: int) -> list[str]:
    """The ids of the articles to show: all, or those with the most sentences that take a side on any target.

    Where there is no target, a sentence that is not neutral in sentiment counts instead.
    """
    if len(tally.articles) <= limit:
        return [article.article_id for article in tally.articles]
    names = [field.name for field in tally.fields if field.is_stance] or [SENTIMENT_FIELD]
    sides = sum(tally.counts[name][:, :2].sum(1) for name in names)
    chosen = sorted(np.argsort(-np.asarray(sides), kind="stable")[:limit])
    return [tally.articles[place].article_id for place in chosen]


def read_articles(path: Path, fields: tuple[Field, ...], ids: Collection[str], report: Report) -> list[ShownArticle]:
    """The sentences of some articles, in a second reading of the file; of a long article only the first ones."""
    wanted = {article_id: _Kept() for article_id in ids}
    for placed in read_predictions(path, fields) if wanted else ():
        report(placed.fraction)
        kept = wanted.get(placed.row.article_id)
        if kept is not None:
            kept.add(placed.row)
    return [kept.article() for kept in wanted.values()]


class _Kept:
    """The first sentences of an article, whatever the order of its rows."""

    def __init__(self) -> None:
        self.rows: list[PredictedRow] = []
        self.sentences = 0
        self.info: ArticleInfo | None = None

    def add(self, row: PredictedRow) -> None:
        self.info = self.info or _info(row)
        self.rows.append(row)
        self.sentences += 1
        if len(self.rows) > 4 * SENTENCES_SHOWN:
            self._cut()

    def article(self) -> ShownArticle:
        self._cut()
        if self.info is None:
            raise InputError("the predictions changed while they were read; run it again")
        return ShownArticle(self.info, tuple(self.rows), self.sentences)

    def _cut(self) -> None:
        self.rows = sorted(self.rows, key=lambda row: row.sentence_index)[:SENTENCES_SHOWN]


class _Gathering:
    """The state of a reading."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.places: dict[str, int] = {}
        self.articles: list[ArticleInfo] = []
        self.counts: list[list[list[int]]] = [[] for _ in fields]  # field, article, label
        self.checkpoints: Counter[str] = Counter()
        self.seen: set[tuple[int, int]] = set()
        self.lists = [(_Surest(), _Surest(), _Surest()) for _ in fields]

    def add(self, placed: PlacedRow) -> None:
        row = placed.row
        place = self.places.setdefault(row.article_id, len(self.articles))
        if place == len(self.articles):
            self.articles.append(_info(row))
            for counts, field in zip(self.counts, self.fields, strict=True):
                counts.append([0] * len(field.labels))
        if (place, row.sentence_index) in self.seen:
            raise InputError(
                f"{placed.place}: sentence {row.sentence_index} of article {row.article_id!r} stands twice; "
                "remove one, or give the articles different ids"
            )
        self.seen.add((place, row.sentence_index))
        self.checkpoints[row.checkpoint] += 1
        for number, field in enumerate(self.fields):
            label = field.labels.index(row.labels[number])
            self.counts[number][place][label] += 1
            first, second, uncertain = self.lists[number]
            if label < 2:
                (first, second)[label].add(row.probabilities[number][label], row)
            uncertain.add(-row.confidences[number], row)

    def tally(self) -> Tally:
        names = [field.name for field in self.fields]
        return Tally(
            fields=self.fields,
            articles=tuple(self.articles),
            counts={name: np.array(counts) for name, counts in zip(names, self.counts, strict=True)},
            quotes={
                name: Quotes(*(tuple(found.rows()) for found in lists))
                for name, lists in zip(names, self.lists, strict=True)
            },
            checkpoints=self.checkpoints,
        )


class _Surest:
    """The rows of the highest scores; of rows with one text the first of the highest."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, PredictedRow]] = {}
        self._floor = -np.inf

    def add(self, score: float, row: PredictedRow) -> None:
        if score <= self._floor:
            return
        held = self._found.get(row.text)
        if held is None or held[0] < score:
            self._found[row.text] = (score, row)
        if len(self._found) > 8 * QUOTES:
            best = sorted(self._found.items(), key=lambda item: -item[1][0])[:QUOTES]
            self._found = dict(best)
            self._floor = best[-1][1][0]

    def rows(self) -> Iterator[PredictedRow]:
        for _, row in sorted(self._found.values(), key=lambda found: -found[0])[:QUOTES]:
            yield row


def _info(row: PredictedRow) -> ArticleInfo:
    return ArticleInfo(row.article_id, row.title, row.source, row.date)
