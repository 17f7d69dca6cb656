import json
from pathlib import Path

import pytest

from stanceline.behavior import KINDS, read_cases, run_cases
from stanceline.errors import LabelError
from stanceline.labels import STANCE_LABELS, LabelScheme, Target
from stanceline.records import FieldPrediction, Prediction

SCHEME = LabelScheme((Target("treaty"),), sentiment=False)
CASES = [
    {"id": "m", "kind": "minimum_functionality", "capability": "plain", "text": "good", "expect": {"treaty": "favor"}},
    {
        "id": "i",
        "kind": "invariance",
        "capability": "swap",
        "text": "good",
        "changed": "good too",
        "fields": ["treaty"],
    },
    {
        "id": "d",
        "kind": "direction",
        "capability": "negation",
        "text": "good",
        "changed": "bad",
        "expect": {"treaty": "favor"},
        "expect_changed": {"treaty": "against"},
    },
]


def write(tmp_path, rows):
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def classifier(against):
    """Labels by a table: text -> probability of `against`; the rest is `favor`."""

    def classify(articles):
        for article in articles:
            for sentence in article.sentences:
                p = against[sentence.text]
                probabilities = dict(zip(STANCE_LABELS, (1 - p, p, 0.0, 0.0), strict=True))
                label = max(probabilities, key=probabilities.get)
                field = FieldPrediction(label, probabilities[label], probabilities)
                yield Prediction(article.article_id, sentence.index, sentence.text, {"treaty": field}, "table")

    return classify


@pytest.mark.parametrize(
    ("against", "failed"),
    [
        ({"good": 0.0, "good too": 0.1, "bad": 0.9}, set()),
        ({"good": 0.8, "good too": 0.8, "bad": 1.0}, {"m"}),
        ({"good": 0.0, "good too": 0.9, "bad": 0.9}, {"i"}),
        ({"good": 0.2, "good too": 0.2, "bad": 0.29}, {"d"}),
        ({"good": 0.2, "good too": 0.2, "bad": 0.31}, set()),
    ],
)
def test_each_kind_of_case_fails_for_its_own_reason(tmp_path, against, failed):
    result = run_cases(read_cases(write(tmp_path, CASES), SCHEME), classifier(against))
    assert {failure.case.id for failure in result.failures} == failed
    assert sum(result.failed(kind)[0] for kind in KINDS) == len(failed)


def test_the_sentence_before_is_context_and_not_asked_about(tmp_path):
    case = {**CASES[0], "before": "bad"}
    assert not run_cases(read_cases(write(tmp_path, [case]), SCHEME), classifier({"good": 0.0, "bad": 1.0})).failures


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "smoke"}, "line 1: kind 'smoke'; use one of"),
        ({"expect": {"pact": "favor"}}, "line 1: no field 'pact' in the checkpoint"),
        ({"expect": {"treaty": "pro"}}, "line 1: 'pro' is not a label of treaty"),
        ({"expect": "favor"}, "line 1: expect is 'favor'"),
        ({"expect": None}, "line 1: no 'expect'"),
        ({"changed": "x"}, "line 1: unknown key 'changed'"),
    ],
)
def test_a_case_that_is_wrong_is_named_with_its_line(tmp_path, change, message):
    with pytest.raises(LabelError, match=message):
        read_cases(write(tmp_path, [{**CASES[0], **change}]), SCHEME)


def test_an_id_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(LabelError, match="line 2: id 'm' stands in the file already"):
        read_cases(write(tmp_path, [CASES[0], CASES[0]]), SCHEME)


def test_the_project_s_own_cases_are_sound_and_enough(seed_scheme):
    cases = read_cases(Path(__file__).parent.parent / "eval" / "behavior.jsonl", seed_scheme)
    assert len(cases) >= 300
    assert {case.kind for case in cases} == set(KINDS)
