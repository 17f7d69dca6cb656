"""The things that flow through the program: articles, sentences, examples, predictions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# An article of this title, or of one of these registers, is a list of sentences that have nothing to do with
# each other: none of them is given the others as context.
UNRELATED_TITLE = "(separate short items)"
UNRELATED_REGISTERS = frozenset({"mixed", "headlines"})

SPLITS = ("train", "dev", "test")


def is_unrelated(title: str, register: str = "") -> bool:
    """Whether rows of that title and register are separate items rather than a running text."""
    return title == UNRELATED_TITLE or register in UNRELATED_REGISTERS


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. `start` and `end` are code points of the article's text; None where it came already split."""

    index: int
    text: str
    start: int | None = None
    end: int | None = None
    extra: Mapping[str, Any] | None = None  # the row's other columns, where each sentence was a row of its own


@dataclass(frozen=True, slots=True)
class Article:
    """A text to label: either `text`, to be split, or `sentences`, already split."""

    article_id: str
    text: str | None = None
    sentences: Iterable[Sentence] | None = None  # can be iterated again and again; a huge file's are split on the way
    title: str = ""
    source: str = ""
    date: str = ""
    related: bool = True  # False: the sentences are separate items, read without context
    extra: Mapping[str, Any] = field(default_factory=dict)  # the input's other columns


@dataclass(frozen=True, slots=True)
class Rejection:
    """An input, or a part of one, that could not be read as an article and was left out."""

    article_id: str  # "" where there is none yet
    place: str  # the file, with row or line
    reason: str  # what is wrong, and what to do

    def to_row(self) -> dict[str, str]:
        """The rejection as a flat row."""
        return {"article_id": self.article_id, "place": self.place, "reason": self.reason}

    def __str__(self) -> str:
        """One line: where, what, and what to do."""
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence with gold labels; a field that is not labelled is absent from `labels`."""

    article_id: str
    sentence_index: int
    text: str
    labels: Mapping[str, str]  # field -> label
    title: str = ""
    source: str = ""
    date: str = ""
    related: bool = True
    weight: float = 1.0  # of its loss
    split: str = ""  # train, dev, test, or not given
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """The identity of the sentence, by which everything is joined."""
        return self.article_id, self.sentence_index


@dataclass(frozen=True, slots=True)
class FieldPrediction:
    """The label of one field with its calibrated confidence and the probability of each label, all in [0, 1]."""

    label: str
    confidence: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One labelled sentence."""

    article_id: str
    sentence_index: int
    text: str
    fields: Mapping[str, FieldPrediction]
    checkpoint: str  # name and hash: `default@1f2e3d4c5b6a`
    title: str = ""
    source: str = ""
    date: str = ""
    start: int | None = None
    end: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """The identity of the sentence, by which everything is joined."""
        return self.article_id, self.sentence_index

    def to_row(self) -> dict[str, Any]:
        """The prediction as a flat row; the keys are the same in JSONL, CSV and Parquet."""
        row: dict[str, Any] = {
            "article_id": self.article_id,
            "title": self.title,
            "source": self.source,
            "date": self.date,
            "sentence_index": self.sentence_index,
            "text": self.text,
        }
        for name, prediction in self.fields.items():
            row[name] = prediction.label
        row["start"], row["end"] = self.start, self.end
        for name, prediction in self.fields.items():
            row[f"{name}_confidence"] = round(prediction.confidence, 6)
            for label, probability in prediction.probabilities.items():
                row[f"{name}_p_{label}"] = round(probability, 6)
        row["checkpoint"] = self.checkpoint
        row.update(self.extra)
        return row
