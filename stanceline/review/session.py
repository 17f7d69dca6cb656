"""One review: the predictions on view, and the answers that are given to them."""

import datetime
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stanceline.errors import LabelError, StancelineError, UsageError
from stanceline.review.answers import BAD, SKIP, Answer, Answers, Conflict, Selection, SentenceKey
from stanceline.review.index import IndexInfo, build_index, index_key, read_info
from stanceline.review.predictions import read_fields
from stanceline.review.queries import FoundSentence, Queries
from stanceline.review.store import AnswerStore, Record


class NotReadyError(StancelineError):
    """The index is still being made."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How far the index is."""

    is_ready: bool
    sentences: int
    fraction: float  # 0 to 1
    error: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it comes from a person."""

    id: str  # made by the page, so that an answer that is sent twice counts once
    annotator: str
    article_id: str
    sentence_index: int
    field: str | None
    label: str
    replaces: tuple[str, ...] = ()
    is_resolution: bool = False
    blind: bool = False
    selection: Selection = "browsed"
    seconds: float | None = None


class Review:
    """The predictions, the answers, and what may be done with them. Safe to call from several threads.

    Args:
        predictions: A predictions file.
        labels: The answers; made with the first one.
        random_share: The share of the queue that is drawn at random instead of by uncertainty, 0 to 1.
        seed: Of the random share.
        codebook: What the answers follow; its hash is recorded with each.
        warn: Told what was repaired.

    Raises:
        InputError, LabelError, OutputError: A file cannot be used.
    """

    def __init__(
        self,
        predictions: Path,
        labels: Path,
        *,
        random_share: float = 0.2,
        seed: int = 0,
        codebook: Path | None = None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        if not 0 <= random_share <= 1:
            raise UsageError(f"--random-share {random_share}: use a share from 0 to 1")
        self.predictions = predictions
        self.labels = labels
        self.random_share = random_share
        self.seed = seed
        self.fields = read_fields(predictions)
        self.key = index_key(predictions, seed)
        self.codebook_text = _read_codebook(codebook) if codebook else ""
        self.codebook = hashlib.sha256(self.codebook_text.encode()).hexdigest()[:12] if codebook else None
        self.answers = Answers()
        self.elsewhere: set[SentenceKey] = set()  # answered sentences that are not in these predictions
        self._lock = threading.RLock()
        self._loading = Loading(False, 0, 0.0)
        self._queries: Queries | None = None
        self._store = AnswerStore(labels, warn)
        self.answers.apply(self._store.open())

    @property
    def index_path(self) -> Path:
        """Where the index lies: beside the labels, because the predictions may be where nothing can be written."""
        return self.labels.with_name(f"{self.labels.name}.index")

    @property
    def loading(self) -> Loading:
        """How far the index is."""
        return self._loading

    def load(self) -> None:
        """Makes the index, or takes the one that is there; the rest works only afterwards.

        Raises:
            InputError, OutputError: As from `build_index`; told in `loading` too.
        """
        try:
            info = read_info(self.index_path)
            if info is None or info.key != self.key:
                info = build_index(self.predictions, self.fields, self.index_path, self.seed, self._report)
            self._open(info)
        except StancelineError as error:
            self._loading = Loading(False, self._loading.sentences, self._loading.fraction, str(error))
            raise

    def _report(self, sentences: int, fraction: float) -> None:
        self._loading = Loading(False, sentences, fraction)

    def _open(self, info: IndexInfo) -> None:
        with self._lock:
            self._queries = Queries(self.index_path, info)
            self._refresh(self.answers.sentences())
            self._loading = Loading(True, info.sentences, 1.0)

    def close(self) -> None:
        """Lets go of the index."""
        if self._queries is not None:
            self._queries.close()

    @property
    def queries(self) -> Queries:
        """The questions that can be asked of the index.

        Raises:
            NotReadyError: It is still being made.
        """
        if self._queries is None:
            raise NotReadyError(self._loading.error or "the predictions are still being read; try again in a second")
        return self._queries

    def sync(self) -> None:
        """Takes in what other processes answered."""
        with self._lock:
            self._take(self._store.read_new())

    def conflicts(self) -> list[Conflict]:
        """What is not resolved, oldest first."""
        with self._lock:
            return self.answers.conflicts()

    def conflicts_of(self, sentence: SentenceKey, field: str | None) -> list[Conflict]:
        """The conflicts about a field of a sentence, or about all of its fields."""
        with self._lock:
            return self.answers.conflicts_of(sentence, field)

    def answered(self) -> list[SentenceKey]:
        """Every sentence that was answered, in these predictions or elsewhere."""
        with self._lock:
            return self.answers.sentences()

    def recent(self, annotator: str, count: int) -> list[Answer]:
        """The last answers of a person, newest first."""
        with self._lock:
            return self.answers.recent(annotator, count)

    def standing(self, sentence: SentenceKey) -> list[Answer]:
        """The answers that stand about a sentence."""
        with self._lock:
            return self.answers.standing(sentence)

    def give(self, given: Given) -> Answer:
        """Records an answer; on return it is on the disk.

        Raises:
            LabelError: It is about nothing that is there, or replaces what it may not replace.
            OutputError: It cannot be kept.
        """
        with self._lock:
            self.sync()
            sentence = self.queries.by_key(given.article_id, given.sentence_index)
            if sentence is None:
                raise LabelError(f"there is no sentence {given.sentence_index} of article {given.article_id!r}")
            if given.id in self.answers.by_id:
                return self._repeated(given)
            self._check(given, sentence)
            answer = self._answer(given, sentence)
            self._take(self._store.append(answer.to_record()))
            return answer

    def undo(self, undo_id: str, answer_id: str, annotator: str) -> Answer:
        """Takes back an answer; it stays in the file, with a record that it does not count.

        Raises:
            LabelError: There is no such answer, or it is somebody else's.
            OutputError: It cannot be kept.
        """
        with self._lock:
            self.sync()
            answer = self.answers.by_id.get(answer_id)
            if answer is None or answer.annotator != annotator:
                raise LabelError(f"{annotator} gave no answer {answer_id!r}")
            if answer.id not in self.answers.undone:
                if self.answers.is_known(undo_id):
                    raise LabelError(f"the id {undo_id!r} was used before")
                record = {"kind": "undo", "id": undo_id, "time": _now(), "annotator": annotator, "undoes": answer_id}
                self._take(self._store.append(record))
            return answer

    def queue(self, field: str, annotator: str, count: int, *, others: bool) -> list[tuple[int, Selection]]:
        """What to ask next: numbers of sentences, each with why, `uncertain` or `random`.

        The random ones are spread evenly: of the first N answers, random_share * N were drawn at random.
        """
        done = self.queries.progress(field, annotator)["queued"]
        waiting = {
            order: self.queries.unanswered(field, annotator, order, count, others=others)
            for order in ("uncertain", "random")
        }
        picked: dict[int, Selection] = {}
        for place in range(done, done + count):
            is_random = int((place + 1) * self.random_share) > int(place * self.random_share)
            selection: Selection = "random" if is_random else "uncertain"
            number = next((n for n in waiting[selection] if n not in picked), None)
            if number is not None:
                picked[number] = selection
        return list(picked.items())

    def _take(self, records: Sequence[Record]) -> None:
        changed = self.answers.apply(records)
        if self._queries is not None:
            self._refresh(changed)

    def _refresh(self, sentences: Sequence[SentenceKey]) -> None:
        for key in sentences:
            found = self.queries.by_key(key[0], key[1])
            if found is None or found.text != key[2]:
                self.elsewhere.add(key)
            else:
                self.queries.set_standing(found.id, self.answers.standing(key))

    def _repeated(self, given: Given) -> Answer:
        answer = self.answers.by_id[given.id]
        same = (answer.annotator, answer.article_id, answer.sentence_index, answer.field, answer.label)
        if same != (given.annotator, given.article_id, given.sentence_index, given.field, given.label):
            raise LabelError(f"the id {given.id!r} belongs to another answer")
        return answer

    def _check(self, given: Given, sentence: FoundSentence) -> None:
        if self.answers.is_known(given.id):
            raise LabelError(f"the id {given.id!r} was used before")
        if given.field is None:
            if given.label != BAD:
                raise LabelError(f"{given.label!r} needs a field; only {BAD!r} is said of the whole sentence")
        elif not self.queries.has_field(given.field):
            raise LabelError(f"no field {given.field!r}; there are {', '.join(f.name for f in self.fields)}")
        else:
            allowed = (*self.queries.field(given.field).labels, *(() if given.is_resolution else (SKIP,)))
            if given.label not in allowed:
                raise LabelError(f"{given.label!r} is not an answer to {given.field}; use {', '.join(allowed)}")
        for answer_id in given.replaces:
            old = self.answers.by_id.get(answer_id)
            if old is None or old.sentence != sentence.key:
                raise LabelError(f"{answer_id!r} is no answer about this sentence")
            if old.annotator != given.annotator and not given.is_resolution:
                raise LabelError(f"{answer_id!r} is an answer of {old.annotator}; only a resolution settles it")

    def _answer(self, given: Given, sentence: FoundSentence) -> Answer:
        asked = [given.field] if given.field is not None else list(sentence.predictions)
        model: dict[str, Mapping[str, Any]] = {
            name: {key: sentence.predictions[name][key] for key in ("label", "confidence")} for name in asked
        }
        return Answer(
            id=given.id,
            time=_now(),
            annotator=given.annotator,
            article_id=sentence.article_id,
            sentence_index=sentence.sentence_index,
            text=sentence.text,
            field=given.field,
            label=given.label,
            is_resolution=given.is_resolution,
            replaces=given.replaces,
            blind=given.blind,
            selection=given.selection,
            seconds=given.seconds,
            codebook=self.codebook,
            model=model,
            checkpoint=sentence.checkpoint,
        )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_codebook(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--codebook {path}: cannot be read: {error}") from error
