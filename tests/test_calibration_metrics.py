import math

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from stanceline import calibration_metrics as calibration
from stanceline.errors import LabelError

LABELS = ("positive", "negative", "neutral")


def drawn(seed, size=400):
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet([1, 1, 2], size)
    gold = [LABELS[i] for i in draw.integers(3, size=size)]
    correct = [LABELS[i] == label for i, label in zip(probabilities.argmax(1), gold, strict=True)]
    return probabilities, gold, probabilities.max(1), np.array(correct)


@pytest.mark.parametrize("seed", range(5))
def test_brier_score_and_log_loss_are_those_of_scikit_learn(seed):
    probabilities, gold, _, _ = drawn(seed)
    order = [LABELS.index(label) for label in sorted(LABELS)]  # scikit-learn sorts the labels
    sorted_labels = sorted(LABELS)
    brier = reference.brier_score_loss(gold, probabilities[:, order], labels=sorted_labels, scale_by_half=False)
    loss = reference.log_loss(gold, probabilities[:, order], labels=sorted_labels)
    assert calibration.brier_score(probabilities, gold, LABELS) == pytest.approx(brier)
    assert calibration.log_loss(probabilities, gold, LABELS) == pytest.approx(loss)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("equal_mass", "strategy"), [(True, "quantile"), (False, "uniform")])
def test_bins_are_those_of_scikit_learn(seed, equal_mass, strategy):
    _, _, confidence, correct = drawn(seed, size=600)
    found = calibration.reliability_bins(confidence, correct, bins=10, equal_mass=equal_mass)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10, strategy=strategy)
    filled = [part for part in found if part.count]
    # Quantiles fall between two values there and on one here: a neighbouring bin may hold one prediction more.
    slack = 0.03 if equal_mass else 1e-9
    assert [part.accuracy for part in filled] == pytest.approx(accuracy.tolist(), abs=slack)
    assert [part.confidence for part in filled] == pytest.approx(mean.tolist(), abs=slack)


def test_equal_mass_bins_hold_equally_many_and_equal_width_bins_are_equally_wide():
    _, _, confidence, correct = drawn(0, size=300)
    mass = calibration.reliability_bins(confidence, correct)
    assert [part.count for part in mass] == [20] * 15
    width = calibration.reliability_bins(confidence, correct, bins=4, equal_mass=False)
    assert [(part.lower, part.upper) for part in width] == [(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]
    assert sum(part.count for part in width) == 300


def test_the_order_of_equal_confidences_does_not_matter():
    confidence, correct = np.array([0.5] * 6 + [0.9] * 4), np.array([1, 1, 1, 0, 0, 0, 1, 1, 1, 0])
    mixed = np.random.default_rng(0).permutation(10)
    found = calibration.reliability_bins(confidence, correct, bins=5)
    assert found == calibration.reliability_bins(confidence[mixed], correct[mixed], bins=5)
    assert [part.count for part in found] == [6, 4]


def test_fewer_predictions_than_bins_are_a_bin_each():
    found = calibration.reliability_bins([0.9, 0.1], [True, False])
    assert [(part.count, part.confidence) for part in found] == [(1, 0.1), (1, 0.9)]


def test_one_confidence_for_all_is_one_bin():
    (found,) = calibration.reliability_bins([0.7] * 4, [True, True, True, False])
    assert (found.count, found.confidence, found.accuracy) == (4, pytest.approx(0.7), 0.75)


@pytest.mark.parametrize("equal_mass", [True, False])
def test_zero_and_one_are_in_a_bin(equal_mass):
    found = calibration.reliability_bins([0.0, 1.0, 0.5], [False, True, True], bins=3, equal_mass=equal_mass)
    assert sum(part.count for part in found) == 3


def test_the_worked_examples_of_the_docstrings_come_out():
    error = calibration.expected_calibration_error([0.6, 0.6, 0.9, 0.9], [True, False, True, True], bins=2)
    assert error == pytest.approx(0.1)
    assert calibration.brier_score([[0.7, 0.2, 0.1]], ["positive"], LABELS) == pytest.approx(0.14)
    half_and_quarter = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]
    loss = calibration.log_loss(half_and_quarter, ["positive", "positive"], LABELS)
    assert loss == pytest.approx(1.5 * math.log(2))


def test_a_calibrated_guess_has_no_calibration_error():
    confidence = np.repeat([0.25, 0.75], 400)
    correct = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    assert calibration.expected_calibration_error(confidence, correct) == pytest.approx(0)
    assert calibration.expected_calibration_error(confidence, ~correct, equal_mass=False) == pytest.approx(0.5)


def test_a_gold_label_of_probability_zero_has_a_finite_loss():
    loss = calibration.log_loss([[0.0, 1.0, 0.0]], ["positive"], LABELS)
    assert loss == pytest.approx(reference.log_loss(["b"], [[1.0, 0.0]], labels=["a", "b"]))


def test_risk_and_coverage_have_a_point_for_each_confidence():
    points = calibration.risk_coverage([0.8, 0.5, 0.9, 0.8], [False, True, True, True])
    assert [(p.threshold, p.coverage, pytest.approx(p.risk)) for p in points] == [
        (0.9, 0.25, 0),
        (0.8, 0.75, 1 / 3),
        (0.5, 1.0, 1 / 4),
    ]


@pytest.mark.parametrize(("wanted", "coverage"), [(0.7, 1.0), (0.75, 1.0), (0.9, 0.25), (1.0, 0.25)])
def test_the_most_that_can_be_kept_at_an_accuracy(wanted, coverage):
    point = calibration.coverage_at_accuracy([0.8, 0.5, 0.9, 0.8], [False, True, True, True], wanted)
    assert point.coverage == coverage


def test_an_accuracy_that_is_never_reached_keeps_nothing():
    assert calibration.coverage_at_accuracy([0.9, 0.8], [False, True], 0.9) is None


def test_nine_of_ten_right_is_an_accuracy_of_point_nine():
    point = calibration.coverage_at_accuracy([0.5] * 10, [False] + [True] * 9, 0.9)
    assert point.coverage == 1.0


@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [([], [], "nothing to score"), ([0.5], [True, False], "of one length"), ([1.5], [True], "outside 0 to 1")],
)
def test_confidences_that_cannot_be_scored_are_refused(confidence, correct, message):
    with pytest.raises(LabelError, match=message):
        calibration.risk_coverage(confidence, correct)


def test_not_a_number_is_no_confidence():
    with pytest.raises(LabelError, match="outside 0 to 1"):
        calibration.expected_calibration_error([math.nan], [True])


@pytest.mark.parametrize(
    ("probabilities", "gold", "message"),
    [
        ([[0.5, 0.5, 0.5]], ["positive"], "do not add up to 1"),
        ([[0.5, 0.5]], ["positive"], r"\(1, 2\) for 1 gold and 3 declared"),
        ([[0.2, 0.3, 0.5]], ["sad"], "'sad' is not a declared label"),
        ([], [], "nothing to score"),
    ],
)
def test_probabilities_that_cannot_be_scored_are_refused(probabilities, gold, message):
    with pytest.raises(LabelError, match=message):
        calibration.brier_score(probabilities, gold, LABELS)
