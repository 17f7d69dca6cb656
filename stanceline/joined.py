"""Gold labels and predictions of the same sentences, joined by id; nothing is scored that was not joined here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stanceline.errors import ConfigError, LabelError
from stanceline.label_files import LabelMap, foreign_labels, read_examples
from stanceline.label_rows import read_rows
from stanceline.labels import RESERVED_NAMES, SENTIMENT_FIELD, STANCE_LABELS, Field
from stanceline.records import Example, FieldPrediction, Prediction

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Joined:
    """One field of N labelled sentences: gold and predicted, in one order."""

    field: Field  # its labels are those that are scored
    examples: tuple[Example, ...]
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    probabilities: NDArray[np.float64] | None  # (N, L); None where the predictions have none

    @property
    def articles(self) -> list[str]:
        """The article of each sentence, the unit of the bootstrap."""
        return [example.article_id for example in self.examples]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(N,) whether the prediction is the gold label."""
        return np.array([g == p for g, p in zip(self.gold, self.predicted, strict=True)], dtype=bool)

    @property
    def confidence(self) -> NDArray[np.float64] | None:
        """(N,) the probability of the predicted label."""
        if self.probabilities is None:
            return None
        places = [self.field.labels.index(label) for label in self.predicted]
        return np.asarray(self.probabilities[np.arange(len(places)), places])

    def take(self, positions: Sequence[int]) -> "Joined":
        """The sentences at some positions."""
        return Joined(
            self.field,
            tuple(self.examples[i] for i in positions),
            tuple(self.gold[i] for i in positions),
            tuple(self.predicted[i] for i in positions),
            None if self.probabilities is None else self.probabilities[list(positions)],
        )


def by_key(examples: Iterable[Example], predictions: Iterable[Prediction]) -> dict[Key, Prediction]:
    """Predictions by the id of their sentence, after the ids were compared with those of the examples.

    Raises:
        LabelError: A prediction is doubled, missing for a labelled sentence, or of a sentence that is not there.
    """
    wanted = {example.key: example for example in examples}
    found: dict[Key, Prediction] = {}
    doubled, extra = [], []
    for prediction in predictions:
        if prediction.key in found:
            doubled.append(prediction.key)
        elif prediction.key not in wanted:
            extra.append(prediction.key)
        found[prediction.key] = prediction
    missing = [key for key, example in wanted.items() if example.labels and key not in found]
    for keys, problem in (
        (doubled, "predicted twice"),
        (extra, "predicted, but not in the labels"),
        (missing, "labelled, but not predicted"),
    ):
        if keys:
            article, index = keys[0]
            raise LabelError(
                f"{len(keys)} sentences are {problem}, such as sentence {index} of article {article!r}; "
                "predictions and labels must be of the same sentences"
            )
    return found


def join(
    examples: Iterable[Example],
    predictions: Mapping[Key, Prediction],
    field: Field,
    label_map: LabelMap | None = None,
) -> Joined:
    """Gold and predicted labels of the sentences that are labelled in a field.

    With a label map the labels that are scored are its keys. A label of ours that is no key counts as the key whose
    list names it, and its probability goes there; the predicted label is then the key of the highest sum.

    Args:
        examples: What is labelled; their labels are already those of the map.
        predictions: From `by_key`.
        field: The field with the labels that are predicted.
        label_map: Our label -> the foreign labels that mean it, as the examples were read with.

    Raises:
        LabelError: No sentence is labelled in the field, or a prediction lacks it.
        ConfigError: The map leaves out one of the labels that are predicted.
    """
    counted_as = scored_labels(field, label_map)
    scored = Field(field.name, tuple(dict.fromkeys(counted_as.values())))
    labelled = tuple(example for example in examples if field.name in example.labels)
    if not labelled:
        raise LabelError(f"{field.name}: no sentence is labelled in it; leave the field out or add labels")
    given = []
    for example in labelled:
        prediction = predictions[example.key].fields.get(field.name)
        if prediction is None:
            index = f"sentence {example.sentence_index} of article {example.article_id!r}"
            raise LabelError(f"{field.name}: {index} has no prediction of it")
        given.append(prediction)
    gold = tuple(example.labels[field.name] for example in labelled)
    if not all(prediction.probabilities for prediction in given):
        predicted = tuple(counted_as[prediction.label] for prediction in given)
        return Joined(scored, labelled, gold, predicted, None)
    probabilities = np.zeros((len(given), len(scored.labels)))
    for row, prediction in enumerate(given):
        for label, probability in prediction.probabilities.items():
            probabilities[row, scored.labels.index(counted_as[label])] += probability
    if label_map is None:
        # The label that was given out: rounded probabilities may tie.
        return Joined(scored, labelled, gold, tuple(prediction.label for prediction in given), probabilities)
    return Joined(scored, labelled, gold, tuple(scored.labels[i] for i in probabilities.argmax(1)), probabilities)


def scored_labels(field: Field, label_map: LabelMap | None) -> dict[str, str]:
    """What each label of a field is scored as, in the order of the field.

    Raises:
        ConfigError: The label map leaves one out.
    """
    if label_map is None:
        return {label: label for label in field.labels}
    foreign = foreign_labels(label_map, field)
    counted_as = {}
    for label in field.labels:
        if label in label_map:
            counted_as[label] = label
        elif label in foreign:
            counted_as[label] = foreign[label]
        else:
            raise ConfigError(
                f"label map of {field.name}: says nothing of {label!r}, which is predicted too; "
                f'add it to the list of the label that it counts as, such as none = ["none", "{label}"]'
            )
    return dict(sorted(counted_as.items(), key=lambda entry: field.labels.index(entry[1])))


def read_predictions(path: Path, targets: Collection[str]) -> tuple[list[Prediction], str]:
    """Predictions from a file that `classify` wrote, or another system: ids, a column a field, and `FIELD_p_LABEL`.

    Args:
        path: JSONL, CSV or Parquet.
        targets: The stance fields to read.

    Returns:
        The predictions, and the SHA-256 of the file.

    Raises:
        LabelError: The file cannot be read, a label is unknown, or a probability is no number.
    """
    table = read_examples([path], targets=targets, text_required=False)
    predictions = []
    for example, place in zip(table.examples, table.places, strict=True):
        fields = {}
        for field in table.fields:
            if field.name not in example.labels:
                continue
            label = example.labels[field.name]
            try:
                probabilities = _probabilities(example, field)
            except ValueError as error:
                raise LabelError(f"{place}: {error}") from error
            fields[field.name] = FieldPrediction(label, probabilities.get(label, float("nan")), probabilities)
        predictions.append(
            Prediction(
                example.article_id,
                example.sentence_index,
                example.text,
                fields,
                str(example.extra.get("checkpoint", path.name)),
            )
        )
    return predictions, table.hashes[str(path)]


def _probabilities(example: Example, field: Field) -> dict[str, float]:
    """The probability of each label; none at all where a column of them is missing."""
    columns = {label: f"{field.name}_p_{label}" for label in field.labels}
    if not all(column in example.extra for column in columns.values()):
        return {}
    try:
        return {label: float(example.extra[column]) for label, column in columns.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"a column {field.name}_p_LABEL holds something that is not a number") from error


def stance_fields(fields: Iterable[Field]) -> list[str]:
    """The names of the fields that are stances toward a target."""
    return [field.name for field in fields if field.name != SENTIMENT_FIELD]


def stance_columns(paths: Sequence[Path]) -> list[str]:
    """The columns of files that hold stance labels and nothing else: the targets, where no checkpoint declares them."""
    values: dict[str, set[str]] = {}
    for path in paths:
        for _, row in read_rows(path).rows:
            for column, value in row.items():
                values.setdefault(column, set()).add(str(value))
    return [c for c, found in values.items() if c not in RESERVED_NAMES and found <= set(STANCE_LABELS)]
