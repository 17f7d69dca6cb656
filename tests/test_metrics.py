import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from stanceline import metrics
from stanceline.errors import LabelError
from stanceline.labels import STANCE_LABELS

F, A, N, X = STANCE_LABELS
PAIRS = st.lists(st.tuples(st.sampled_from(STANCE_LABELS), st.sampled_from(STANCE_LABELS)), min_size=1, max_size=60)
as_in_sklearn = settings(max_examples=80, deadline=None)


def split(pairs):
    return [gold for gold, _ in pairs], [predicted for _, predicted in pairs]


@as_in_sklearn
@given(PAIRS)
def test_f1_macro_is_that_of_scikit_learn_over_all_declared_labels(pairs):
    gold, predicted = split(pairs)
    expected = reference.f1_score(gold, predicted, labels=STANCE_LABELS, average="macro", zero_division=0)
    assert metrics.f1_macro(gold, predicted, STANCE_LABELS) == pytest.approx(expected)


@as_in_sklearn
@given(PAIRS)
def test_macro_recall_and_accuracy_are_those_of_scikit_learn(pairs):
    gold, predicted = split(pairs)
    recall = reference.recall_score(gold, predicted, labels=STANCE_LABELS, average="macro", zero_division=0)
    assert metrics.macro_recall(gold, predicted, STANCE_LABELS) == pytest.approx(recall)
    assert metrics.accuracy(gold, predicted, STANCE_LABELS) == pytest.approx(reference.accuracy_score(gold, predicted))


@as_in_sklearn
@given(PAIRS)
def test_the_scores_of_each_label_are_those_of_scikit_learn(pairs):
    gold, predicted = split(pairs)
    expected = reference.precision_recall_fscore_support(gold, predicted, labels=STANCE_LABELS, zero_division=0)
    found = metrics.per_label(gold, predicted, STANCE_LABELS)
    assert list(found) == list(STANCE_LABELS)
    for position, label in enumerate(STANCE_LABELS):
        score = found[label]
        ours = (score.precision, score.recall, score.f1, score.support)
        assert ours == pytest.approx([column[position] for column in expected])
        assert score.predicted == predicted.count(label)


@as_in_sklearn
@given(PAIRS)
def test_the_confusion_matrix_is_that_of_scikit_learn(pairs):
    gold, predicted = split(pairs)
    expected = reference.confusion_matrix(gold, predicted, labels=STANCE_LABELS)
    assert (metrics.confusion_matrix(gold, predicted, STANCE_LABELS) == expected).all()


@as_in_sklearn
@given(PAIRS.filter(lambda pairs: len({label for pair in pairs for label in pair}) > 1))
def test_cohen_kappa_is_that_of_scikit_learn(pairs):
    gold, predicted = split(pairs)
    expected = reference.cohen_kappa_score(gold, predicted, labels=STANCE_LABELS)
    assert metrics.cohen_kappa(gold, predicted, STANCE_LABELS) == pytest.approx(expected)


def test_cohen_kappa_of_one_label_throughout_is_undefined():
    assert np.isnan(metrics.cohen_kappa([F, F], [F, F], STANCE_LABELS))


@as_in_sklearn
@given(PAIRS)
def test_favor_against_f1_is_the_mean_of_two_of_scikit_learns_scores(pairs):
    gold, predicted = split(pairs)
    expected = reference.f1_score(gold, predicted, labels=[F, A], average="macro", zero_division=0)
    assert metrics.favor_against_f1(gold, predicted) == pytest.approx(expected)


def test_the_worked_examples_of_the_docstrings_come_out():
    gold, predicted = [F, F, A, N], [F, A, A, N]
    assert metrics.f1_macro(gold, predicted, STANCE_LABELS) == pytest.approx(7 / 12)
    assert metrics.accuracy(gold, predicted, STANCE_LABELS) == pytest.approx(3 / 4)
    assert metrics.per_label(gold, predicted, STANCE_LABELS)[F] == metrics.LabelScore(
        1.0, 0.5, pytest.approx(2 / 3), 2, 1
    )
    assert metrics.favor_against_f1([F, F, A, X], [F, X, A, A]) == pytest.approx(2 / 3)
    assert metrics.cohen_kappa([F, F, A, A], [F, A, A, A], STANCE_LABELS) == pytest.approx(1 / 2)
    assert metrics.macro_recall(["p", "p", "n", "0"], ["p", "n", "n", "n"], ["p", "n", "0"]) == pytest.approx(1 / 2)


def test_pooled_and_mean_favor_against_f1_are_those_of_the_official_scorer():
    """The official scorer (eval.pl of SemEval-2016 Task 6) adds up hits, gold and guesses over all lines.

    Favor: 3 hits of 4 guesses and 3 gold, precision 0.75, recall 1, F 2 * 0.75 / 1.75 = 0.8571.
    Against: 1 hit of 1 guess and 3 gold, precision 1, recall 0.3333, F 2 * 0.3333 / 1.3333 = 0.5.
    It prints "Macro F: 0.6786", the mean. By target the same arithmetic gives (1 + 0) / 2 and (0 + 2/3) / 2.
    """
    by_target = {"one": ([F, F, F, A], [F, F, F, X]), "two": ([A, A], [A, F])}
    assert round(metrics.pooled_favor_against_f1(by_target), 4) == 0.6786
    assert metrics.mean_favor_against_f1(by_target) == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_the_majority_floor_of_semeval_2016_comes_out():
    """Published: a guess of each target's majority label scores F_avg 65.22 on the test set.

    The gold labels of the test set, by target (favor, against, none): Atheism 32 160 28, Climate Change 123 11 35,
    Feminist Movement 58 183 44, Hillary Clinton 45 172 78, Legalization of Abortion 46 189 45; 1,249 in all. The
    majority is favor for Climate Change, against elsewhere. Favor: 123 hits, 304 gold, 169 guesses, F 246 / 473 =
    0.5201. Against: 704 hits, 715 gold, 1,080 guesses, F 1408 / 1795 = 0.7844. Mean 0.6522.

    Source: Mohammad et al. 2016, tables 2 and 3, https://aclanthology.org/S16-1003/
    """
    counts = [(32, 160, 28), (123, 11, 35), (58, 183, 44), (45, 172, 78), (46, 189, 45)]
    by_target = {}
    for number, (favor, against, none) in enumerate(counts):
        gold = [F] * favor + [A] * against + [X] * none
        by_target[str(number)] = (gold, [F if favor > against else A] * len(gold))
    assert round(100 * metrics.pooled_favor_against_f1(by_target), 2) == 65.22


def test_a_declared_label_that_nobody_uses_scores_zero_and_is_named():
    gold = predicted = [F, A, N]
    assert metrics.f1_macro(gold, predicted, STANCE_LABELS) == pytest.approx(3 / 4)
    assert metrics.absent_labels(gold, predicted, STANCE_LABELS) == (X,)
    assert metrics.absent_labels(gold, [X, X, X], STANCE_LABELS) == ()


def test_counts_by_group_add_up_to_the_whole_and_follow_the_given_order():
    gold, predicted, groups = [F, A, N, X], [F, F, N, X], ["b", "a", "b", "a"]
    by_group = metrics.confusion_by_group(gold, predicted, STANCE_LABELS, groups, order=["a", "none here", "b"])
    assert by_group.sum((1, 2)).tolist() == [2, 0, 2]
    assert (by_group.sum(0) == metrics.confusion_matrix(gold, predicted, STANCE_LABELS)).all()
    first = metrics.confusion_by_group(gold, predicted, STANCE_LABELS, groups)
    assert (first == by_group[[2, 0]]).all()


@pytest.mark.parametrize(
    "metric", ["f1_macro_of", "macro_recall_of", "accuracy_of", "cohen_kappa_of", "favor_against_f1_of"]
)
def test_a_metric_of_many_counts_is_that_of_each(metric):
    counts = np.random.default_rng(3).integers(1, 9, size=(2, 5, 4, 4))
    of = getattr(metrics, metric)
    assert of(counts).shape == (2, 5)
    assert of(counts)[1, 3] == pytest.approx(float(of(counts[1, 3])))


def test_a_label_order_without_stances_in_front_is_respected():
    assert metrics.favor_against_f1([F, A], [F, F], labels=[X, A, F]) == pytest.approx((2 / 3 + 0) / 2)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [([F], [], "1 gold labels, 0 predicted"), ([], [], "nothing to score"), ([F], ["pro"], "'pro' is not a declared")],
)
def test_what_cannot_be_scored_is_refused(gold, predicted, message):
    with pytest.raises(LabelError, match=message):
        metrics.f1_macro(gold, predicted, STANCE_LABELS)


def test_stance_scores_of_sentiment_and_of_nothing_are_refused():
    with pytest.raises(LabelError, match="no label 'against' among"):
        metrics.favor_against_f1(["positive"], ["positive"], ["positive", "negative"])
    with pytest.raises(LabelError, match="no target"):
        metrics.pooled_favor_against_f1({})
    with pytest.raises(LabelError, match="'b' is not in the order"):
        metrics.confusion_by_group([F], [F], STANCE_LABELS, ["b"], order=["a"])
