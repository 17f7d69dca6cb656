"""What the answers add up to: which ones stand, where they conflict, how they agree with the model.

One rule makes it: an answer stands until a later one names it in `replaces`, or an undo takes it back. Answers that do
not know of each other, whether of two people or of two tabs of one, therefore both stand, and conflict if they differ.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal

from stanceline.errors import LabelError

Selection = Literal["uncertain", "random", "browsed"]

SKIP = "skip"
BAD = "bad"  # the sentence is no sentence, or not fit to be labelled: said of all its fields at once

SentenceKey = tuple[str, int, str]  # article_id, sentence_index, text: an answer never moves to another text


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer."""

    id: str
    time: str  # ISO 8601, UTC
    annotator: str
    article_id: str
    sentence_index: int
    text: str
    field: str | None  # None only with the label `bad`
    label: str  # a label of the field, `skip` or `bad`
    is_resolution: bool = False  # settles what others answered
    replaces: tuple[str, ...] = ()
    blind: bool = False  # given before the model's answer was shown
    selection: Selection = "browsed"  # uncertain, random: why the queue asked; browsed: found by the person
    seconds: float | None = None  # from showing the sentence to the answer
    codebook: str | None = None  # its version, the first digits of its SHA-256
    model: Mapping[str, Mapping[str, Any]] = dataclass_field(default_factory=dict)  # field -> label, confidence
    checkpoint: str = ""

    @property
    def sentence(self) -> SentenceKey:
        """What it is about."""
        return self.article_id, self.sentence_index, self.text

    @property
    def agrees(self) -> bool | None:
        """Whether the model says the same; None for a skip or a bad sentence."""
        if self.field is None or self.label in (SKIP, BAD) or self.field not in self.model:
            return None
        return bool(self.model[self.field]["label"] == self.label)

    def to_record(self) -> dict[str, Any]:
        """The answer as it stands in the labels file."""
        return {
            "kind": "resolution" if self.is_resolution else "answer",
            "id": self.id,
            "time": self.time,
            "annotator": self.annotator,
            "article_id": self.article_id,
            "sentence_index": self.sentence_index,
            "text": self.text,
            "field": self.field,
            "label": self.label,
            "replaces": list(self.replaces),
            "blind": self.blind,
            "selection": self.selection,
            "seconds": self.seconds,
            "codebook": self.codebook,
            "model": {name: dict(said) for name, said in self.model.items()},
            "checkpoint": self.checkpoint,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Answer":
        """The inverse of `to_record`.

        Raises:
            LabelError: The record lacks something.
        """
        kind = record["kind"]
        try:
            values = {name: value for name, value in record.items() if name != "kind"}
            values["replaces"] = tuple(values["replaces"])
            answer = cls(**values, is_resolution=kind == "resolution")
        except (KeyError, TypeError) as error:
            raise LabelError(f"answer {record['id']}: is damaged: {error}") from error
        if kind not in ("answer", "resolution"):
            raise LabelError(f"answer {answer.id}: of kind {kind!r}, which this version doesn't know")
        return answer


@dataclass(frozen=True, slots=True)
class Conflict:
    """Answers that stand and differ."""

    sentence: SentenceKey
    field: str
    answers: tuple[Answer, ...]


class Answers:
    """All answers of a labels file, in memory."""

    def __init__(self) -> None:
        self.by_id: dict[str, Answer] = {}
        self.undone: set[str] = set()
        self._conflicts: dict[SentenceKey, list[Conflict]] = {}
        self._history: dict[SentenceKey, list[str]] = defaultdict(list)
        self._undo_ids: set[str] = set()

    def apply(self, records: Iterable[Mapping[str, Any]]) -> list[SentenceKey]:
        """Takes records in, in the order of the file.

        Returns:
            The sentences whose answers changed.

        Raises:
            LabelError: A record is damaged, or takes back an answer that is not there.
        """
        changed: dict[SentenceKey, None] = {}
        for record in records:
            if record["kind"] == "undo":
                answer = self.by_id.get(str(record.get("undoes")))
                if answer is None:
                    raise LabelError(f"undo {record['id']}: takes back an answer that is not in the file")
                self.undone.add(answer.id)
                self._undo_ids.add(record["id"])
            else:
                answer = Answer.from_record(record)
                if answer.id not in self.by_id:
                    self.by_id[answer.id] = answer
                    self._history[answer.sentence].append(answer.id)
            changed[answer.sentence] = None
        for sentence in changed:
            self._find_conflicts(sentence)
        return list(changed)

    def is_known(self, record_id: str) -> bool:
        """Whether an answer or an undo of that id was recorded."""
        return record_id in self.by_id or record_id in self._undo_ids

    def standing(self, sentence: SentenceKey) -> list[Answer]:
        """The answers about a sentence that were neither replaced nor taken back, oldest first."""
        live = [self.by_id[i] for i in self._history.get(sentence, ()) if i not in self.undone]
        replaced = {i for answer in live for i in answer.replaces}
        return [answer for answer in live if answer.id not in replaced]

    def conflicts(self) -> list[Conflict]:
        """All that is unresolved, a sentence and field each."""
        return [conflict for found in self._conflicts.values() for conflict in found]

    def conflicts_of(self, sentence: SentenceKey, name: str | None) -> list[Conflict]:
        """The conflicts about one field of a sentence, or about any where `name` is None."""
        return [c for c in self._conflicts.get(sentence, ()) if name is None or c.field == name]

    def sentences(self) -> list[SentenceKey]:
        """Every sentence that was ever answered, in the order of the first answers."""
        return list(self._history)

    def recent(self, annotator: str, count: int) -> list[Answer]:
        """The last answers of one person that were not taken back, newest first."""
        found = []
        for answer in reversed(self.by_id.values()):
            if answer.annotator == annotator and answer.id not in self.undone:
                found.append(answer)
                if len(found) == count:
                    break
        return found

    def _find_conflicts(self, sentence: SentenceKey) -> None:
        found = []
        standing = [answer for answer in self.standing(sentence) if answer.label != SKIP]
        bad = [answer for answer in standing if answer.label == BAD]
        for name in dict.fromkeys(answer.field for answer in standing if answer.field is not None):
            given = [answer for answer in standing if answer.field == name]
            involved = sorted([*given, *bad], key=lambda answer: answer.time)
            if len({answer.label for answer in involved}) > 1:
                found.append(Conflict(sentence, name, tuple(involved)))
        self._conflicts.pop(sentence, None)
        if found:
            self._conflicts[sentence] = found


def settled_labels(standing: Sequence[Answer]) -> dict[str, str]:
    """The label of each field of a sentence without conflicts; skips and bad sentences give none."""
    return {a.field: a.label for a in standing if a.field is not None and a.label not in (SKIP, BAD)}
