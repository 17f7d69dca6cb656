"""Labels from the tools that people label with: what they export becomes rows of ours.

label-studio   JSON or JSON-MIN of a project whose controls are `Choices`, one a field
doccano        JSONL of a text-classification project, with labels such as `western_policy:favor`
prodigy        JSONL of `prodigy db-out` from the `choice` or the `classification` interface
argilla        JSON of `dataset.records.to_json()`, or of `to_list(flatten=True)`, a question a field
csv            a spreadsheet with a column a field; our own columns are filled in where they are missing

A record that nobody answered stays, without labels: it is the context of its neighbours.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stanceline.errors import LabelError, UsageError
from stanceline.label_files import raise_problems
from stanceline.label_rows import Place, Problem
from stanceline.labels import SENTIMENT_FIELD, SENTIMENT_LABELS, STANCE_LABELS, Field
from stanceline.records import Example, is_unrelated

Json = dict[str, Any]
Answer = tuple[str, str]  # question ("" where the tool has none), answer

# Columns of predictions; what a person decides is only the label beside them.
_PREDICTED = re.compile(r".+_(confidence|uncertain|p_[a-z]+)|start|end|checkpoint")
_TEXTS = ("article_id", "title", "source", "date", "text", "split")
_SEPARATOR = ":"  # between field and label where a tool has labels only


@dataclass(frozen=True, slots=True)
class Record:
    """One answer of one person, whatever the tool."""

    place: Place
    own_id: str  # the tool's
    data: Mapping[str, Any]  # text, and whatever was handed to the tool with it
    answers: Sequence[Answer] = ()
    annotator: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """What the questions of a tool are called here."""

    fields: Mapping[str, Field]  # those that may be labelled
    names: Mapping[str, str] = field(default_factory=dict)  # question -> field; "" -> that of answers without one

    @classmethod
    def of(cls, targets: Sequence[str], given: Sequence[str] = ()) -> "Questions":
        """The questions for targets and the sentiment.

        Args:
            targets: The known targets.
            given: `QUESTION=FIELD`, or `FIELD` for answers without a question.

        Raises:
            UsageError: There is no such field.
        """
        fields = {name: Field(name, STANCE_LABELS) for name in targets}
        fields[SENTIMENT_FIELD] = Field(SENTIMENT_FIELD, SENTIMENT_LABELS)
        names = {}
        for entry in given:
            question, _, name = entry.rpartition("=")
            if name not in fields:
                raise UsageError(f"--field {entry}: no field {name!r}; there are {', '.join(fields)} (see --targets)")
            names[question] = name
        return cls(fields, names)

    def field_of(self, question: str) -> Field | None:
        """The field of a question; None where it has none."""
        return self.fields.get(self.names.get(question, question))


@dataclass(frozen=True, slots=True)
class Imported:
    """Sentences with their labels, and where two people, or one person twice, did not agree."""

    examples: tuple[Example, ...]
    conflicts: tuple[str, ...]  # a line each; the later label was kept
    unchanged: int  # labels that are still the model's, of those that came with its prediction
    predicted: int


def import_labels(path: Path, tool: str, questions: Questions, *, annotator: str = "") -> Imported:
    """Reads what a tool exported.

    Args:
        path: The file.
        tool: A key of `READERS`.
        questions: What its questions are called here.
        annotator: Only the answers of this person; empty means everybody's.

    Raises:
        LabelError: The file is not of that tool, or its answers are not labels of ours (each with its place).
    """
    records = list(READERS[tool](path))
    if not records:
        raise LabelError(f"{path}: holds no records")
    if annotator:
        records = [r if r.annotator == annotator or not r.answers else replace(r, answers=()) for r in records]
    builder = _Builder(questions, f"{tool}-" if tool != "csv" else f"{path.stem}-")
    for record in records:
        builder.add(record)
    raise_problems(builder.problems)
    if not any(example.labels for example in builder.examples.values()):
        asked = ", ".join(sorted({question or "(none)" for r in records for question, _ in r.answers})) or "nothing"
        raise LabelError(
            f"{path}: no answer to {', '.join(questions.fields)}; it answers {asked}. Name the field with --field"
        )
    return Imported(tuple(builder.examples.values()), tuple(builder.conflicts), builder.unchanged, builder.predicted)


class _Builder:
    """Records to examples: the last label of a sentence wins."""

    def __init__(self, questions: Questions, prefix: str) -> None:
        self.questions = questions
        self.prefix = prefix
        self.examples: dict[tuple[str, int], Example] = {}
        self.problems: list[Problem] = []
        self.conflicts: list[str] = []
        self.unchanged = self.predicted = 0
        self.next_index: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """Takes a record, or notes what is wrong with it."""
        text = str(record.data.get("text") or "")
        if not text.strip():
            self.problems.append(Problem(record.place, "has no text; the field that holds the sentence must be `text`"))
            return
        key = self._key(record)
        labels = self._labels(record) if key else None
        if key is None or labels is None:
            return
        before = self.examples.get(key)
        if before is not None and before.text != text:
            message = f"sentence {key[1]} of article {key[0]!r} has another text than before"
            self.problems.append(Problem(record.place, message))
            return
        self._count_predicted(record, labels)
        if before is not None:
            for name, label in labels.items():
                if before.labels.get(name, label) != label:
                    who = f" by {record.annotator}" if record.annotator else ""
                    self.conflicts.append(
                        f"{record.place}: sentence {key[1]} of article {key[0]!r}: {name} is {label}{who}, "
                        f"was {before.labels[name]}"
                    )
            self.examples[key] = replace(before, labels={**before.labels, **labels})
            return
        texts = {name: str(record.data.get(name) or "") for name in _TEXTS}
        known = {*_TEXTS, "sentence_index", "before", *self.questions.fields, *self.questions.names}
        self.examples[key] = Example(
            article_id=key[0],
            sentence_index=key[1],
            text=text,
            labels=labels,
            title=texts["title"],
            source=texts["source"],
            date=texts["date"],
            split=texts["split"],
            related=not is_unrelated(texts["title"], str(record.data.get("register") or "")),
            extra={k: v for k, v in record.data.items() if k not in known and not _PREDICTED.fullmatch(k)},
        )

    def _key(self, record: Record) -> tuple[str, int] | None:
        article = str(record.data.get("article_id") or "").strip()
        index = record.data.get("sentence_index")
        if not article:
            return f"{self.prefix}{record.own_id}", 0
        if index is None or index == "":
            self.next_index[article] += 1
            return article, self.next_index[article] - 1
        if isinstance(index, bool) or not re.fullmatch(r"\d+(\.0*)?", str(index).strip()):
            self.problems.append(Problem(record.place, f"sentence_index {index!r} is not a whole number from 0"))
            return None
        return article, int(float(index))

    def _labels(self, record: Record) -> dict[str, str] | None:
        labels: dict[str, str] = {}
        for question, answer in record.answers:
            found = self.questions.field_of(question)
            if found is None:
                if not question:
                    message = f"{answer!r} does not say what it is about; name the field with --field FIELD"
                    self.problems.append(Problem(record.place, message))
                    return None
                continue
            label = answer.strip().lower()
            if label not in found.labels:
                wanted = f"use one of {', '.join(found.labels)}"
                self.problems.append(Problem(record.place, f"{answer!r} is not a label of {found.name}; {wanted}"))
                return None
            if labels.setdefault(found.name, label) != label:
                message = f"{found.name} is both {labels[found.name]} and {label}; a sentence has one label of a field"
                self.problems.append(Problem(record.place, message))
                return None
        return labels

    def _count_predicted(self, record: Record, labels: Mapping[str, str]) -> None:
        for name, label in labels.items():
            scores = {
                other: float(record.data[column])
                for other in self.questions.fields[name].labels
                if record.data.get(column := f"{name}_p_{other}") not in (None, "")
            }
            if scores:
                self.predicted += 1
                self.unchanged += label == max(scores, key=lambda other: scores[other])


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LabelError(f"{path}: cannot be read: {error.strerror}") from error
    # Spreadsheets write UTF-16 as "Unicode text", always with its mark.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelError(f"{path} line {line}: is not {encoding.upper()[:6].rstrip('-')}; save it as UTF-8") from error


def _json_records(path: Path) -> Iterator[tuple[Place, Json]]:
    """The objects of a JSON array or of JSONL; tools write either."""
    text = _read_text(path)
    if text.lstrip().startswith("["):
        try:
            values = json.loads(text)
        except ValueError as error:
            raise LabelError(f"{path}: is not JSON: {error}") from error
        numbered = [(Place(str(path), number, "record"), value) for number, value in enumerate(values, start=1)]
    else:
        numbered = []
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    numbered.append((Place(str(path), number), json.loads(line)))
                except ValueError as error:
                    raise LabelError(f"{path} line {number}: is not JSON: {error}") from error
    for place, value in numbered:
        if not isinstance(value, dict):
            raise LabelError(f"{place}: is not a JSON object")
        yield place, value


def _label_studio(path: Path) -> Iterator[Record]:
    for place, task in _json_records(path):
        own_id = str(task.get("id", place.number))
        if "data" not in task and "annotations" not in task:
            yield _label_studio_min(place, own_id, task)
            continue
        data = task.get("data")
        if not isinstance(data, dict):
            raise LabelError(f"{place}: has no `data`; export the project as JSON or JSON-MIN")
        answered = [a for a in task.get("annotations", ()) if not a.get("was_cancelled")]
        if not answered:
            yield Record(place, own_id, data)
        for annotation in sorted(answered, key=lambda a: str(a.get("updated_at") or a.get("created_at") or "")):
            answers = [
                (str(result.get("from_name", "")), str(choice))
                for result in annotation.get("result", ())
                if result.get("type") == "choices"
                for choice in result.get("value", {}).get("choices", ())
            ]
            yield Record(place, own_id, data, answers, _who(annotation.get("completed_by")))


def _label_studio_min(place: Place, own_id: str, task: Json) -> Record:
    """JSON-MIN: data and answers side by side, one record an annotation."""
    answers = []
    for name, value in task.items():
        choices = value.get("choices", ()) if isinstance(value, dict) else (value,) if isinstance(value, str) else ()
        answers += [(name, str(choice)) for choice in choices]
    names = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}
    data = {name: value for name, value in task.items() if name not in names and not isinstance(value, dict)}
    return Record(place, own_id, data, [a for a in answers if a[0] not in _TEXTS], _who(task.get("annotator")))


def _who(person: Any) -> str:
    """A person's id, or the e-mail address where the tool exports people as objects."""
    if isinstance(person, dict):
        person = person.get("email", person.get("id"))
    return "" if person is None else str(person)


def _doccano(path: Path) -> Iterator[Record]:
    for place, row in _json_records(path):
        given = row.get("label", row.get("labels", ()))
        # `#` joins labels where doccano exports a table.
        labels = given.split("#") if isinstance(given, str) else given or ()
        if any(not isinstance(label, str) for label in labels):
            raise LabelError(f"{place}: `label` holds no names; export the JSONL of a text-classification project")
        answers = [_divided(label) for label in labels if label]
        data = {k: v for k, v in row.items() if k not in {"id", "label", "labels", "Comments"}}
        yield Record(place, str(row.get("id", place.number)), data, answers)


def _prodigy(path: Path) -> Iterator[Record]:
    for place, task in _json_records(path):
        if "answer" not in task:
            raise LabelError(f"{place}: has no `answer`; export the dataset with `prodigy db-out`")
        meta = task.get("meta")
        data = {**(meta if isinstance(meta, dict) else {}), **task}
        # Under `reject` a single label is what the sentence is not, and under `ignore` nothing was decided.
        accepted = task["answer"] == "accept"
        chosen = task.get("accept", [task["label"]] if "label" in task else ())
        answers = [_divided(str(choice)) for choice in chosen] if accepted else []
        own = {"options", "accept", "answer", "label", "meta", "spans", "tokens", "score", "priority", "config"}
        data = {k: v for k, v in data.items() if k not in own and not k.startswith("_")}
        own_id = str(task.get("_input_hash", place.number))
        yield Record(place, own_id, data, answers, _who(task.get("_annotator_id") or task.get("_session_id")))


def _divided(label: str) -> Answer:
    question, _, answer = label.rpartition(_SEPARATOR)
    return question, answer


def _argilla(path: Path) -> Iterator[Record]:
    for place, record in _json_records(path):
        if "fields" in record:
            data = {**(record.get("metadata") or {}), **record["fields"]}
            given = {q: [(r.get("value"), r.get("user_id")) for r in rs] for q, rs in record["responses"].items()}
        else:
            data = {k: v for k, v in record.items() if "." not in k and not k.startswith("_")}
            data = {k: v for k, v in data.items() if k not in {"id", "status"}}
            given = {
                key.removesuffix(".responses"): _submitted(record, key) for key in record if key.endswith(".responses")
            }
        own_id = str(record.get("id") or place.number)
        people = dict.fromkeys(str(user) for answers in given.values() for _, user in answers)
        if not people:
            yield Record(place, own_id, data)
        for person in people:
            answers = [(q, str(v)) for q, pairs in given.items() for v, user in pairs if str(user) == person and v]
            yield Record(place, own_id, data, answers, person)


def _submitted(record: Json, key: str) -> list[tuple[Any, Any]]:
    """Answers and people of a flat record, drafts and discarded ones left out."""
    values = record[key] or []
    users = record.get(f"{key}.users") or [None] * len(values)
    states = record.get(f"{key}.status") or ["submitted"] * len(values)
    return [(v, u) for v, u, s in zip(values, users, states, strict=True) if s in (None, "submitted")]


def _spreadsheet(path: Path) -> Iterator[Record]:
    text = _read_text(path)
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)  # a spreadsheet writes what its country's settings say
    csv.field_size_limit(2**31 - 1)  # characters of a cell, which may hold a whole book
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = [name.strip() for name in next(reader, [])]
    for name in columns:
        if name and columns.count(name) > 1:
            raise LabelError(f"{path} line 1: column {name!r} stands twice; rename one of them")
    if "text" not in columns:
        raise LabelError(f"{path} line 1: no column 'text' among {', '.join(filter(None, columns))}; name it so")
    start = reader.line_num + 1
    for cells in reader:
        place, start = Place(str(path), start), reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise LabelError(f"{place}: has {len(cells)} cells, the header has {len(columns)}; quote the cells")
        row = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
        yield Record(place, str(place.number), row, [(k, v) for k, v in row.items() if v.strip() and k not in _TEXTS])


READERS: Mapping[str, Callable[[Path], Iterator[Record]]] = {
    "label-studio": _label_studio,
    "doccano": _doccano,
    "prodigy": _prodigy,
    "argilla": _argilla,
    "csv": _spreadsheet,
}
