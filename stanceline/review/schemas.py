"""What goes in and out of the JSON API; OpenAPI is made from these."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from stanceline.labels import Field as LabelledField
from stanceline.review.answers import Answer, Conflict, Selection
from stanceline.review.queries import FoundSentence

LIST_TEXT = 2_000  # characters of a sentence in lists
FULL_TEXT = 100_000  # and where it is asked for alone
CLASSIFY_TEXT = 200_000

# No control characters, and no space at either end.
_NAME = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=_NAME)]
RecordId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{8,64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorOut(_Model):
    """Why a request was refused."""

    detail: str | list[dict[str, Any]]


class FieldOut(_Model):
    """A field and its labels."""

    name: str
    labels: list[str]
    is_stance: bool

    @classmethod
    def of(cls, field: LabelledField) -> "FieldOut":
        """A field as it goes out."""
        return cls(name=field.name, labels=list(field.labels), is_stance=field.is_stance)


class StatusOut(_Model):
    """What is on view, and whether it can be asked yet."""

    is_ready: bool
    error: str
    sentences: int = Field(description="so far, while the index is being made")
    articles: int
    fraction: float = Field(description="of the predictions file that was read")
    predictions: str = Field(description="changes when the server shows other predictions")
    predictions_name: str
    labels_name: str
    fields: list[FieldOut]
    checkpoints: list[str]
    annotator: str = Field(description="the name to start with")
    codebook: str | None = Field(description="its version")
    random_share: float
    conflicts: int
    answers_elsewhere: int = Field(description="answered sentences that are not in these predictions")


class FieldPredictionOut(_Model):
    """What the model says."""

    label: str
    confidence: float
    probabilities: dict[str, float]


class AnswerOut(_Model):
    """A recorded answer."""

    id: str
    time: str
    annotator: str
    article_id: str
    sentence_index: int
    field: str | None
    label: str
    is_resolution: bool
    replaces: list[str]
    blind: bool
    selection: str
    seconds: float | None
    codebook: str | None
    model: dict[str, dict[str, Any]]
    checkpoint: str

    @classmethod
    def of(cls, answer: Answer) -> "AnswerOut":
        """An answer as it goes out; the text stands with the sentence."""
        values = asdict(answer)
        del values["text"]
        return cls(**values)


class SentenceOut(_Model):
    """A sentence; `predictions` and `answers` are left out where they would give the answer away."""

    id: int
    article: int = Field(description="for /api/articles/{article}")
    article_id: str
    title: str
    source: str
    date: str
    sentence_index: int
    text: str
    length: int = Field(description="characters of the whole text; more than in `text` where it was cut")
    start: int | None
    end: int | None
    checkpoint: str
    predictions: dict[str, FieldPredictionOut] | None = None
    answers: list[AnswerOut] | None = None

    @classmethod
    def of(
        cls,
        sentence: FoundSentence,
        answers: list[Answer] | None = None,
        *,
        with_predictions: bool = True,
        characters: int = LIST_TEXT,
    ) -> "SentenceOut":
        """A sentence as it goes out."""
        return cls(
            id=sentence.id,
            article=sentence.article,
            article_id=sentence.article_id,
            title=sentence.title[:LIST_TEXT],
            source=sentence.source,
            date=sentence.date,
            sentence_index=sentence.sentence_index,
            text=sentence.text[:characters],
            length=len(sentence.text),
            start=sentence.start,
            end=sentence.end,
            checkpoint=sentence.checkpoint,
            predictions=predictions_out(sentence.predictions) if with_predictions else None,
            answers=None if answers is None else [AnswerOut.of(answer) for answer in answers],
        )


def predictions_out(predictions: Mapping[str, Mapping[str, Any]]) -> dict[str, FieldPredictionOut]:
    """The predictions of a sentence as they go out."""
    return {name: FieldPredictionOut(**said) for name, said in predictions.items()}


class SentencePage(_Model):
    """A page of sentences."""

    total: int
    offset: int
    sentences: list[SentenceOut]


class ContextOut(_Model):
    """A sentence with what stands around it."""

    sentence: SentenceOut
    before: list[SentenceOut]
    after: list[SentenceOut]


class QueueItem(ContextOut):
    """A question, without what the model says."""

    selection: Selection


class ProgressOut(_Model):
    """One person's answers in a field; `compared` counts those that were given blind."""

    answered: int
    skipped: int
    bad: int
    compared: int
    agreed: int
    random_compared: int
    random_agreed: int
    sentences: int


class QueueOut(_Model):
    """What to answer next."""

    items: list[QueueItem]
    progress: ProgressOut


class ArticleItem(_Model):
    """An article in a list."""

    id: int
    article_id: str
    title: str
    source: str
    date: str
    sentences: int


class ArticleList(_Model):
    """A page of articles."""

    total: int
    offset: int
    articles: list[ArticleItem]


class ArticleOut(ArticleItem):
    """An article with a page of its sentences."""

    is_running_text: bool = Field(description="false where the sentences have nothing to do with each other")
    counts: dict[str, dict[str, int]] = Field(description="field -> label -> sentences, of the whole article")
    offset: int
    page: list[SentenceOut]


class GroupOut(_Model):
    """Counts of the labels, and net stance from -1 to 1 with its 95 % interval."""

    name: str
    articles: int
    counts: dict[str, int]
    net: float | None
    low: float | None
    high: float | None


class SummaryOut(_Model):
    """All sentences that a filter leaves, by source and over time."""

    total: GroupOut
    by_source: list[GroupOut]
    by_time: list[GroupOut]
    period: Literal["day", "month", "year"]
    undated: int


class SourceOut(_Model):
    """A source and the number of its sentences."""

    source: str
    sentences: int


class AnswerIn(_Model):
    """An answer. `field` null goes with `bad` only; `skip` is an answer too."""

    id: RecordId = Field(description="made by the caller: an answer that is sent twice counts once")
    annotator: Name
    article_id: str = Field(min_length=1)
    sentence_index: int = Field(ge=0, lt=2**62)
    field: str | None
    label: str = Field(description="a label of the field, `skip` or `bad`")
    replaces: list[RecordId] = Field(
        default_factory=list, max_length=1000, description="ids of answers that it corrects"
    )
    is_resolution: bool = Field(default=False, description="it settles what others answered")
    blind: bool = Field(default=False, description="given before the model's answer was seen")
    selection: Selection = "browsed"
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    predictions: str | None = Field(default=None, description="`predictions` of the status that the page was made from")


class UndoIn(_Model):
    """Takes an answer back."""

    id: RecordId
    undoes: RecordId
    annotator: Name


class ConflictOut(_Model):
    """Answers that differ."""

    sentence: SentenceOut
    field: str
    answers: list[AnswerOut]

    @classmethod
    def of(cls, conflict: Conflict, sentence: FoundSentence) -> "ConflictOut":
        """A conflict as it goes out."""
        return cls(
            sentence=SentenceOut.of(sentence),
            field=conflict.field,
            answers=[AnswerOut.of(answer) for answer in conflict.answers],
        )


class RecordedOut(_Model):
    """An answer that is on the disk, what the model said, and whom it contradicts."""

    answer: AnswerOut
    sentence: SentenceOut
    conflicts: list[ConflictOut]


class ConflictPage(_Model):
    """A page of conflicts."""

    total: int
    offset: int
    conflicts: list[ConflictOut]


class AnswerList(_Model):
    """The last answers of a person, newest first."""

    answers: list[AnswerOut]


class ClassifyIn(_Model):
    """A text to label."""

    text: str = Field(min_length=1, max_length=CLASSIFY_TEXT)
    title: str = Field(default="", max_length=1_000)


class ClassifiedSentence(_Model):
    """A sentence of the text with its labels; the offsets are code points."""

    sentence_index: int
    text: str
    start: int | None
    end: int | None
    predictions: dict[str, FieldPredictionOut]


class ClassifyOut(_Model):
    """The sentences of the text, in order."""

    checkpoint: str
    sentences: list[ClassifiedSentence]


class CodebookOut(_Model):
    """What the labels mean."""

    version: str | None
    text: str
