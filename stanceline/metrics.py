"""How well predicted labels agree with gold ones; every figure is a function of the confusion counts.

Each metric comes in two forms. The plain one takes two sequences of labels. The one that ends in `_of` takes confusion
counts of any leading shape, (..., L, L) -> (...), so that a bootstrap scores a thousand resamples in one call.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stanceline.errors import LabelError
from stanceline.labels import STANCE_LABELS

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# Gold and predicted labels of one target.
LabelPair = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How one label fares. A fraction whose denominator is 0 is 0."""

    precision: float
    recall: float
    f1: float
    support: int  # gold labels
    predicted: int


def confusion_matrix(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> Counts:
    """How often each gold label was predicted as each label.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The L declared labels; they are the order of rows and columns.

    Returns:
        Counts (L, L): a row a gold label, a column a predicted one.

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.
    """
    counts: Counts = confusion_by_group(gold, predicted, labels, [""] * len(gold)).sum(0)
    return counts


def confusion_by_group(
    gold: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[Hashable],
    order: Iterable[Hashable] | None = None,
) -> Counts:
    """A confusion matrix for each group, as the bootstrap over articles takes them.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The L declared labels.
        groups: The group of each of the N, for example its article.
        order: The G groups in order, needed where several fields must be resampled together; by default the groups
            in order of their first appearance. A group without any row has counts of 0.

    Returns:
        Counts (G, L, L).

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label or a group is not declared.
    """
    if not len(gold) == len(predicted) == len(groups):
        raise LabelError(f"{len(gold)} gold labels, {len(predicted)} predicted, {len(groups)} groups: must be as many")
    if not len(gold):
        raise LabelError("there is nothing to score: no gold label was given")
    rows = {group: number for number, group in enumerate(dict.fromkeys(groups if order is None else order))}
    outside = next((group for group in groups if group not in rows), None)
    if outside is not None:
        raise LabelError(f"group {outside!r} is not in the order that was given")
    size = len(labels)
    gold_codes, predicted_codes = _codes(gold, labels), _codes(predicted, labels)
    group_codes = np.array([rows[group] for group in groups], dtype=np.int64)
    flat = (group_codes * size + gold_codes) * size + predicted_codes
    return np.bincount(flat, minlength=len(rows) * size * size).reshape(len(rows), size, size).astype(np.int64)


def _codes(given: Sequence[str], labels: Sequence[str]) -> Counts:
    position = {label: number for number, label in enumerate(labels)}
    try:
        return np.array([position[label] for label in given], dtype=np.int64)
    except KeyError as error:
        raise LabelError(f"{error.args[0]!r} is not a declared label; use one of {', '.join(labels)}") from error


def _divided(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> Floats:
    """Element by element; what is divided by 0 is 0."""
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom != 0)


def label_f1_of(counts: NDArray[np.generic]) -> Floats:
    """The F1 of each label, (..., L, L) -> (..., L): 2 TP / (gold + predicted), which is 0 where both are 0."""
    counts = np.asarray(counts)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return _divided(2 * hits, counts.sum(-1) + counts.sum(-2))


def label_recall_of(counts: NDArray[np.generic]) -> Floats:
    """The recall of each label, (..., L, L) -> (..., L); 0 where there is no such gold label."""
    counts = np.asarray(counts)
    return _divided(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def f1_macro_of(counts: NDArray[np.generic]) -> Floats:
    """`f1_macro` of confusion counts, (..., L, L) -> (...)."""
    return np.asarray(label_f1_of(counts).mean(-1))


def macro_recall_of(counts: NDArray[np.generic]) -> Floats:
    """`macro_recall` of confusion counts, (..., L, L) -> (...)."""
    return np.asarray(label_recall_of(counts).mean(-1))


def accuracy_of(counts: NDArray[np.generic]) -> Floats:
    """`accuracy` of confusion counts, (..., L, L) -> (...); 0 where nothing was counted."""
    counts = np.asarray(counts)
    return _divided(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def cohen_kappa_of(counts: NDArray[np.generic]) -> Floats:
    """`cohen_kappa` of confusion counts, (..., L, L) -> (...); NaN where it is undefined."""
    counts = np.asarray(counts)
    total = counts.sum((-2, -1))
    observed = _divided(np.trace(counts, axis1=-2, axis2=-1), total)
    by_chance = _divided((counts.sum(-1) * counts.sum(-2)).sum(-1), total.astype(np.float64) ** 2)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is promised
        return np.asarray((observed - by_chance) / (1.0 - by_chance))


def favor_against_f1_of(counts: NDArray[np.generic], labels: Sequence[str] = STANCE_LABELS) -> Floats:
    """`favor_against_f1` of confusion counts, (..., L, L) -> (...).

    Raises:
        LabelError: `favor` or `against` is not among the labels.
    """
    missing = {"favor", "against"} - set(labels)
    if missing:
        raise LabelError(f"no label {sorted(missing)[0]!r} among {', '.join(labels)}: the score is for stances")
    return np.asarray(label_f1_of(counts)[..., [labels.index("favor"), labels.index("against")]].mean(-1))


def f1_macro(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> float:
    """Mean of the F1 of all declared labels; a label that is absent from both scores 0 (see `absent_labels`).

    Worked: gold f f a n, predicted f a a n, labels f a n x. F1 of f is 2*1/(2+1) = 2/3, of a 2*1/(1+2) = 2/3, of n
    2*1/(1+1) = 1, of x 0: (2/3 + 2/3 + 1 + 0) / 4 = 7/12.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The declared labels of the field.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.

    Source: the average of F1s (not the F1 of averages), Opitz and Burst 2019, https://arxiv.org/abs/1911.03347
    """
    return float(f1_macro_of(confusion_matrix(gold, predicted, labels)))


def absent_labels(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """The declared labels that are neither gold nor predicted: each counts as 0 in `f1_macro`, and must be named."""
    seen = {*gold, *predicted}
    return tuple(label for label in labels if label not in seen)


def macro_recall(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> float:
    """Mean of the recall of all declared labels; a label without gold scores 0.

    Worked: gold p p n 0, predicted p n n n. Recall of p is 1/2, of n 1/1, of 0 0/1: (1/2 + 1 + 0) / 3 = 1/2.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The declared labels of the field.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.

    Source: AvgRec of SemEval-2017 Task 4, Rosenthal et al. 2017, https://aclanthology.org/S17-2088/
    """
    return float(macro_recall_of(confusion_matrix(gold, predicted, labels)))


def accuracy(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> float:
    """The share of labels that are right.

    Worked: gold f f a n, predicted f a a n: 3 of 4 are right, 3/4.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The declared labels of the field.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.
    """
    return float(accuracy_of(confusion_matrix(gold, predicted, labels)))


def cohen_kappa(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> float:
    """Agreement beyond chance: (observed - chance) / (1 - chance).

    Worked: gold f f a a, predicted f a a a. Observed is 3/4; chance is (2/4 * 1/4) + (2/4 * 3/4) = 1/2;
    (3/4 - 1/2) / (1 - 1/2) = 1/2.

    Args:
        gold: N gold labels, or those of one annotator.
        predicted: N predicted labels, or those of the other annotator, in the same order.
        labels: The declared labels of the field.

    Returns:
        At most 1; 0 is chance; NaN where both use one and the same label throughout, which leaves it undefined.

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.

    Source: Cohen 1960, https://doi.org/10.1177/001316446002000104
    """
    return float(cohen_kappa_of(confusion_matrix(gold, predicted, labels)))


def per_label(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, LabelScore]:
    """Precision, recall and F1 of every declared label, with how often it is gold and how often predicted.

    Worked: gold f f a n, predicted f a a n. Of f, 1 of 1 predicted is right and 1 of 2 gold is found: precision 1,
    recall 1/2, F1 2 * 1 * 1/2 / (1 + 1/2) = 2/3.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The declared labels of the field.

    Returns:
        A score for each label, in the order of `labels`.

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.
    """
    counts = confusion_matrix(gold, predicted, labels)
    support, given = counts.sum(1), counts.sum(0)
    precision, recall, f1 = _divided(np.diagonal(counts), given), label_recall_of(counts), label_f1_of(counts)
    return {
        label: LabelScore(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]), int(given[i]))
        for i, label in enumerate(labels)
    }


def favor_against_f1(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str] = STANCE_LABELS) -> float:
    """Mean of the F1 of favor and of against: the bottom line of SemEval-2016 Task 6, for one target.

    The other labels are not averaged in, but count as mistakes where they replace either.

    Worked: gold f f a x, predicted f x a a. F1 of favor is 2*1/(2+1) = 2/3, of against 2*1/(1+2) = 2/3: 2/3.

    Args:
        gold: N gold labels.
        predicted: N predicted labels, in the same order.
        labels: The declared labels of the field.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: The lengths differ, there is nothing to score, or a label is not declared.

    Source: Mohammad et al. 2016, https://aclanthology.org/S16-1003/
    """
    return float(favor_against_f1_of(confusion_matrix(gold, predicted, labels), labels))


def pooled_favor_against_f1(by_target: Mapping[str, LabelPair], labels: Sequence[str] = STANCE_LABELS) -> float:
    """`favor_against_f1` over the sentences of all targets together: the figure of SemEval-2016's official scorer.

    Worked: target 1 has gold f f f a, predicted f f f x; target 2 has gold a a, predicted a f. Pooled, favor has
    3 hits, 3 gold, 4 predicted: 6/7; against has 1 hit, 3 gold, 1 predicted: 2/4. (6/7 + 1/2) / 2 = 19/28.

    Args:
        by_target: The gold and predicted labels of each target.
        labels: The declared labels of the targets.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: There is no target, or one of them cannot be scored.

    Source: Mohammad et al. 2016 (F_avg, also called F_microT), https://aclanthology.org/S16-1003/
    """
    return float(favor_against_f1_of(_by_target(by_target, labels).sum(0), labels))


def mean_favor_against_f1(by_target: Mapping[str, LabelPair], labels: Sequence[str] = STANCE_LABELS) -> float:
    """Mean of the targets' `favor_against_f1`, each target counting the same: SemEval-2016's F_macroT.

    Worked, with the labels of `pooled_favor_against_f1`: target 1 has favor 6/6 and against 0/1, mean 1/2; target 2
    has favor 0/1 and against 2/3, mean 1/3; (1/2 + 1/3) / 2 = 5/12.

    Args:
        by_target: The gold and predicted labels of each target.
        labels: The declared labels of the targets.

    Returns:
        A fraction in [0, 1].

    Raises:
        LabelError: There is no target, or one of them cannot be scored.

    Source: Mohammad et al. 2016, https://aclanthology.org/S16-1003/
    """
    return float(favor_against_f1_of(_by_target(by_target, labels), labels).mean())


def _by_target(by_target: Mapping[str, LabelPair], labels: Sequence[str]) -> Counts:
    if not by_target:
        raise LabelError("there is nothing to score: no target was given")
    return np.stack([confusion_matrix(gold, predicted, labels) for gold, predicted in by_target.values()])
