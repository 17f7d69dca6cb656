import json

import numpy as np
import pytest

from stanceline.errors import ConfigError, LabelError
from stanceline.joined import by_key, join, read_predictions, stance_columns
from stanceline.labels import STANCE_LABELS, Field
from stanceline.records import Example, FieldPrediction, Prediction

POLICY = Field("western_policy", STANCE_LABELS)
THREE_WAY = {"favor": "favor", "against": "against", "none": ["neutral", "none"]}


def example(index, label=None, article="a"):
    labels = {} if label is None else {"western_policy": label}
    return Example(article, index, f"The council met on day {index}.", labels)


def prediction(index, probabilities=(0.1, 0.2, 0.3, 0.4), article="a", label=None):
    named = dict(zip(STANCE_LABELS, probabilities, strict=True)) if probabilities else {}
    label = label or max(named, key=named.get)
    fields = {"western_policy": FieldPrediction(label, named.get(label, float("nan")), named)}
    return Prediction(article, index, "", fields, "test")


def test_predictions_are_joined_by_id_and_not_by_order():
    examples = [example(0, "favor"), example(1, "against")]
    given = [prediction(1, (0, 1, 0, 0)), prediction(0, (1, 0, 0, 0))]
    joined = join(examples, by_key(examples, given), POLICY)
    assert joined.gold == joined.predicted == ("favor", "against")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([0], "labelled, but not predicted"),
        ([0, 1, 1], "predicted twice"),
        ([0, 1, 7], "predicted, but not in the labels"),
    ],
)
def test_a_missing_doubled_or_extra_id_is_an_error_that_names_it(given, problem):
    examples = [example(0, "favor"), example(1, "none")]
    with pytest.raises(LabelError, match=rf"1 sentences are {problem}, such as sentence \d of article 'a'"):
        by_key(examples, [prediction(index) for index in given])


def test_an_unlabelled_sentence_may_be_predicted_or_not_and_is_never_scored():
    examples = [example(0, "favor"), example(1)]
    for given in ([0], [0, 1]):
        joined = join(examples, by_key(examples, [prediction(i) for i in given]), POLICY)
        assert len(joined.gold) == 1


def test_a_label_map_sums_the_probabilities_of_the_labels_that_it_puts_together():
    examples = [example(0, "none")]
    joined = join(examples, by_key(examples, [prediction(0, (0.4, 0.1, 0.25, 0.25))]), POLICY, THREE_WAY)
    assert joined.field.labels == ("favor", "against", "none")
    # favor is the likeliest of four, but neutral and none together are likelier.
    assert joined.predicted == ("none",)
    assert joined.probabilities == pytest.approx(np.array([[0.4, 0.1, 0.5]]))


def test_a_label_map_that_leaves_out_a_predicted_label_is_refused():
    examples = [example(0, "none")]
    with pytest.raises(ConfigError, match="says nothing of 'neutral'"):
        join(examples, by_key(examples, [prediction(0)]), POLICY, {"favor": "pro", "against": "con", "none": "nil"})


def test_a_field_without_labels_is_named():
    with pytest.raises(LabelError, match="western_policy: no sentence is labelled"):
        join([example(0)], {}, POLICY)


def test_the_confidence_is_the_probability_of_the_label_that_was_given_out():
    examples = [example(0, "favor")]
    joined = join(examples, by_key(examples, [prediction(0, (0.4, 0.4, 0.1, 0.1), label="against")]), POLICY)
    assert joined.predicted == ("against",)
    assert joined.confidence == pytest.approx([0.4])


def test_predictions_of_another_system_need_no_probabilities(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("article_id,sentence_index,western_policy\na,0,favor\na,1,none\n")
    predictions, digest = read_predictions(path, ["western_policy"])
    examples = [example(0, "favor"), example(1, "favor")]
    joined = join(examples, by_key(examples, predictions), POLICY)
    assert joined.predicted == ("favor", "none")
    assert joined.probabilities is None
    assert joined.confidence is None
    assert len(digest) == 64


def test_a_probability_that_is_no_number_is_named_with_its_line(tmp_path):
    path = tmp_path / "other.jsonl"
    columns = {f"western_policy_p_{label}": "high" for label in STANCE_LABELS}
    path.write_text(json.dumps({"article_id": "a", "sentence_index": 0, "western_policy": "favor", **columns}))
    with pytest.raises(LabelError, match=r"other\.jsonl line 1: .*not a number"):
        read_predictions(path, ["western_policy"])


def test_only_columns_that_hold_nothing_but_stances_are_taken_for_targets(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("article_id,sentence_index,text,treaty,mood,sentiment\na,0,Talks began.,favor,fine,neutral\n")
    assert stance_columns([path]) == ["treaty"]
