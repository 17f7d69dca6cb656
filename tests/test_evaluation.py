"""`evaluate` from end to end, on a tiny checkpoint and on files of predictions."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from stanceline.cli import cli
from stanceline.errors import LabelError, StancelineError, UsageError
from stanceline.evaluation import Request, evaluate, request_of
from stanceline.evaluation_card import write_figures
from stanceline.evaluation_files import behavior_failures, mistakes_of, write_report
from stanceline.evaluation_page import as_text
from stanceline.field_scores import Resampling
from stanceline.label_files import write_examples
from stanceline.labels import STANCE_LABELS, Field
from stanceline.suites import read_suite

FEW = Resampling(samples=100)
CASES = Path(__file__).parent.parent / "eval" / "behavior.jsonl"


@pytest.fixture(scope="module")
def labels(tmp_path_factory, few_dev, seed_scheme):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    write_examples(path, few_dev, seed_scheme.fields)
    return path


@pytest.fixture(scope="module")
def evaluation(labels, tiny_checkpoint):
    cases = labels.with_name("cases.jsonl")
    rows = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    kinds = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(row)
    cases.write_text("".join(json.dumps(row) + "\n" for found in kinds.values() for row in found[:3]))
    request = Request(
        labels=(labels,), model=str(tiny_checkpoint), device="torch", ablations=True, behavior=cases, resampling=FEW
    )
    return evaluate(request)


@pytest.fixture
def other_system(tmp_path):
    """Labels of two articles, and another system's predictions of them, one of four wrong."""

    def write(
        gold=("favor", "against", "neutral", "none"), predicted=("favor", "against", "neutral", "against"), **more
    ):
        rows = [
            {"article_id": "ab"[n // 2], "sentence_index": n % 2, "text": f"Line {n} of the text.", **more}
            for n in range(len(gold))
        ]
        for name, column in (("gold", gold), ("given", predicted)):
            lines = [json.dumps({**row, "treaty": label}) for row, label in zip(rows, column, strict=True)]
            (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        return Request(labels=(tmp_path / "gold.jsonl",), predictions=tmp_path / "given.jsonl", resampling=FEW)

    return write


def test_the_figures_are_those_of_scikit_learn_on_the_predictions_that_are_written(evaluation, few_dev):
    for name, figures in evaluation.metrics["fields"].items():
        predicted = {p.key: p.fields[name].label for p in evaluation.predictions}
        pairs = [(e.labels[name], predicted[e.key]) for e in few_dev if name in e.labels]
        gold, given = zip(*pairs, strict=True)
        scores = {metric: figure["value"] for metric, figure in figures["scores"].items()}
        labels = figures["labels"]
        assert scores["accuracy"] == pytest.approx(accuracy_score(gold, given))
        assert scores["f1_macro"] == pytest.approx(
            f1_score(gold, given, labels=labels, average="macro", zero_division=0)
        )
        if len({*gold, *given}) > 1:
            assert scores["cohen_kappa"] == pytest.approx(cohen_kappa_score(gold, given))


def test_every_figure_is_inside_its_own_interval_of_whole_articles(evaluation):
    for figures in evaluation.metrics["fields"].values():
        found = figures["scores"]["accuracy"]
        assert found["low"] <= found["value"] <= found["high"]


def test_the_same_seed_gives_the_same_figures(evaluation, labels, tiny_checkpoint):
    again = evaluate(Request(labels=(labels,), model=str(tiny_checkpoint), device="torch", resampling=FEW))
    for name, figures in again.metrics["fields"].items():
        assert figures["scores"] == evaluation.metrics["fields"][name]["scores"]
        assert figures["floors"] == evaluation.metrics["fields"][name]["floors"]


def test_floors_ablations_and_slices_stand_beside_every_field(evaluation):
    fields = evaluation.metrics["fields"]
    assert set(fields["western_policy"]["floors"]) == {"majority", "tfidf", "target_blind", "sentiment_as_stance"}
    assert set(fields["sentiment"]["floors"]) == {"majority", "tfidf", "vader"}
    assert set(fields["western_policy"]["ablations"]) == {"context_removed", "target_blind", "names_masked"}
    assert set(fields["sentiment"]["ablations"]) == {"context_removed", "names_masked"}
    for figures in fields.values():
        for slice_ in ("length", "position"):
            assert sum(part["sentences"] for part in figures["slices"][slice_]) == figures["sentences"]


def test_the_target_blind_model_gives_both_targets_the_same_label(evaluation, few_dev):
    # Where both targets have the same gold labels they must have the same score.
    policy, proposals = (evaluation.metrics["fields"][n] for n in ("western_policy", "global_security_proposals"))
    agree = [e.labels["western_policy"] == e.labels["global_security_proposals"] for e in few_dev]
    accuracies = [f["ablations"]["target_blind"]["accuracy"]["value"] for f in (policy, proposals)]
    assert abs(accuracies[0] - accuracies[1]) <= 1 - np.mean(agree) + 1e-9


def test_cross_fitting_leaves_the_labels_as_they_are(evaluation):
    for figures in evaluation.metrics["fields"].values():
        bins = [figures["calibration"][part]["reliability"] for part in ("as_given", "cross_fitted")]
        right = [sum(found["count"] * found["accuracy"] for found in part) for part in bins]
        assert right[0] == pytest.approx(right[1])


def test_the_report_holds_every_file_and_valid_json(evaluation, tmp_path):
    write_report(evaluation, tmp_path / "report")
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["checkpoint"]["reference"] == evaluation.predictions[0].checkpoint
    rows = [json.loads(line) for line in (tmp_path / "report" / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == len(evaluation.predictions)
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {".json", ".jsonl", ".html", ".svg"}
    with pytest.raises(StancelineError, match="holds a report already"):
        write_report(evaluation, tmp_path / "report")


def test_every_key_of_the_metrics_is_documented(evaluation):
    documented = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text(encoding="utf-8")

    def keys(value):
        if isinstance(value, list):
            return {key for entry in value for key in keys(entry)}
        if not isinstance(value, dict):
            return set()
        return set(value) | {key for entry in value.values() for key in keys(entry)}

    given = {*evaluation.metrics["fields"], *evaluation.metrics["versions"], *evaluation.metrics["data"]["files"]}
    given |= set(evaluation.metrics["checkpoint"]["files"])
    given |= {label for figures in evaluation.metrics["fields"].values() for label in figures["labels"]}
    given |= {name for kind in evaluation.metrics["behavior"].values() for name in kind["capabilities"]}
    given |= {wanted for f in evaluation.metrics["fields"].values() for wanted in f["coverage"]["at_accuracy"]}
    missing = {key for key in keys(evaluation.metrics) - given if f"`{key}`" not in documented}
    assert not missing


class _Page(HTMLParser):
    """Collects the tags of a page, and what it would fetch."""

    def __init__(self):
        super().__init__()
        self.tags, self.fetched, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.fetched += [value for name, value in attributes if name in ("src", "href") and not value.startswith("#")]
        if tag not in ("meta", "line", "circle", "path", "polyline", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_page_is_one_file_without_scripts_in_which_texts_are_escaped(other_system, tmp_path):
    request = other_system(title="<script>alert('x')</script> & more")
    write_report(evaluate(request), tmp_path / "report")
    text = (tmp_path / "report" / "evaluation.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert page.fetched == []
    assert page.open == []
    assert "&lt;script&gt;" in text


def test_mistakes_come_with_context_and_the_most_confident_first(evaluation):
    mistakes = list(mistakes_of(evaluation))
    confidences = [row["confidence"] for row in mistakes]
    assert mistakes
    assert confidences == sorted(confidences, reverse=True)
    assert any(row["before"] for row in mistakes)
    assert all(row["gold"] != row["predicted"] for row in mistakes)


def test_a_checkpoint_s_card_gets_the_figures_once_and_keeps_its_hash(evaluation, tiny_checkpoint, tmp_path):
    import shutil

    from stanceline.checkpoint import read_manifest

    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    before = (folder / "README.md").read_text(encoding="utf-8")
    for _ in range(2):
        write_figures(folder, evaluation.metrics, behavior_failures(evaluation))
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith(before.rstrip())
    assert card.count("## Evaluation") == 1
    assert (folder / "figures" / "reliability-sentiment.svg").exists()
    assert read_manifest(folder).hash == read_manifest(tiny_checkpoint).hash
    for expected in ("without context", "names masked", "target-blind", "TF-IDF", "invariance", "cross-fitted"):
        assert expected in card


def test_predictions_of_another_system_are_scored_without_calibration(other_system):
    metrics = evaluate(other_system()).metrics
    figures = metrics["fields"]["treaty"]
    assert figures["scores"]["accuracy"]["value"] == 0.75
    assert figures["scores"]["f1_favor_against"]["value"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["calibration"] is None
    assert "no calibration" in as_text(metrics)


def test_a_label_that_never_comes_up_is_named_and_scores_zero(other_system):
    request = other_system(gold=("favor", "favor", "none", "none"), predicted=("favor", "favor", "none", "none"))
    metrics = evaluate(request).metrics
    assert metrics["fields"]["treaty"]["scores"]["f1_macro"]["value"] == 0.5
    assert metrics["fields"]["treaty"]["absent_labels"] == ["against", "neutral"]
    assert "counted as 0: against, neutral" in as_text(metrics)


def test_one_class_only_leaves_kappa_undefined_and_valid_json(other_system, tmp_path):
    evaluation = evaluate(other_system(gold=("none",) * 4, predicted=("none",) * 4))
    assert evaluation.metrics["fields"]["treaty"]["scores"]["cohen_kappa"]["value"] is None
    write_report(evaluation, tmp_path / "report")
    assert "NaN" not in (tmp_path / "report" / "metrics.json").read_text()
    assert "NaN" not in (tmp_path / "report" / "predictions.jsonl").read_text()


def test_a_single_article_has_figures_without_intervals(other_system):
    request = other_system(gold=("favor", "none"), predicted=("favor", "none"))
    scores = evaluate(request).metrics["fields"]["treaty"]["scores"]
    assert scores["accuracy"] == {"value": 1.0, "low": None, "high": None}


def test_a_three_way_scheme_is_scored_by_its_own_labels(other_system):
    request = other_system(
        gold=("favor", "against", "none", "none"), predicted=("favor", "against", "neutral", "against")
    )
    maps = {"treaty": {"favor": "favor", "against": "against", "none": ["neutral", "none"]}}
    figures = evaluate(replace(request, maps=maps)).metrics["fields"]["treaty"]
    assert figures["labels"] == ["favor", "against", "none"]
    assert figures["scores"]["accuracy"]["value"] == 0.75
    assert figures["absent_labels"] == []


def test_two_annotators_give_the_ceiling_and_one_is_compared_with_the_labels(other_system, tmp_path):
    request = other_system()
    second = tmp_path / "second.jsonl"
    rows = [json.loads(line) for line in (tmp_path / "gold.jsonl").read_text().splitlines()]
    rows[0]["treaty"] = "none"
    second.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "text"}) + "\n" for row in rows))
    for annotators in ((second,), (tmp_path / "gold.jsonl", second)):
        ceiling = evaluate(replace(request, annotators=annotators)).metrics["fields"]["treaty"]["ceiling"]
        assert ceiling["scores"]["accuracy"]["value"] == 0.75
    with pytest.raises(UsageError, match="one or two files, not 3"):
        evaluate(replace(request, annotators=(second, second, second)))


def test_a_column_of_labels_that_the_checkpoint_lacks_is_an_error_that_names_it(labels, tiny_checkpoint, tmp_path):
    rows = [json.loads(line) | {"arms_control": "favor"} for line in labels.read_text(encoding="utf-8").splitlines()]
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    request = Request(labels=(path,), model=str(tiny_checkpoint), device="torch", resampling=FEW)
    with pytest.raises(LabelError, match=r"columns arms_control look like labels.*--field"):
        evaluate(request)
    chosen = evaluate(replace(request, fields=("sentiment",))).metrics["fields"]
    assert list(chosen) == ["sentiment"]


def test_a_split_without_labels_is_an_error(other_system):
    with pytest.raises(LabelError, match="no labelled row has split 'test'"):
        evaluate(replace(other_system(), split="test"))


def run(*arguments):
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)], standalone_mode=False)


def test_the_command_exits_4_below_a_threshold_and_0_at_it(other_system, tmp_path):
    other_system()
    common = (tmp_path / "gold.jsonl", "--predictions", tmp_path / "given.jsonl", "--resamples", 100)
    assert run(*common, "--fail-under", "treaty.accuracy=0.75").return_value in (0, None)
    result = run(*common, "--fail-under", "treaty.accuracy=0.76")
    assert result.return_value == 4
    assert "MISSED: treaty.accuracy 0.750, wanted 0.76" in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("treaty.acuracy=0.7", "did you mean treaty.accuracy"),
        ("treaty.accuracy=high", "write FIELD.METRIC=VALUE"),
        ("treaty.accuracy", "write FIELD.METRIC=VALUE"),
    ],
)
def test_a_threshold_that_is_none_is_wrong_usage(other_system, tmp_path, text, message):
    other_system()
    result = run(tmp_path / "gold.jsonl", "--predictions", tmp_path / "given.jsonl", "--fail-under", text)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_bad_rows_are_named_and_left_out_only_when_asked(other_system, tmp_path):
    other_system()
    gold = tmp_path / "gold.jsonl"
    lines = gold.read_text().splitlines()
    gold.write_text("\n".join([lines[0].replace("favor", "pro"), *lines[1:]]) + "\n")
    common = (gold, "--predictions", tmp_path / "given.jsonl", "--field", "treaty", "--resamples", 100)
    result = run(*common)
    assert "line 1: 'pro' is not a stance" in str(result.exception)
    # The refused sentence is predicted all the same: its prediction has no label to be joined with.
    given = tmp_path / "given.jsonl"
    given.write_text("\n".join(given.read_text().splitlines()[1:]) + "\n")
    result = run(*common, "--skip-bad-rows")
    assert result.return_value == 3
    assert "3 used, 0 unlabelled, 1 refused" in result.output


def test_a_suite_fills_what_the_command_leaves_open(tmp_path, other_system):
    other_system()
    suites = tmp_path / "suites.toml"
    suites.write_text(
        '[tiny]\ndata = ["gold.jsonl"]\nfloor = { "treaty.accuracy" = 0.9 }\nbaseline = { "treaty.f1_macro" = 0.5 }\n'
        'maps.treaty = { favor = "favor", against = "against", none = ["neutral", "none"] }\n'
    )
    suite = read_suite(suites, "tiny")
    request = request_of(suite, Request(labels=(), predictions=tmp_path / "given.jsonl", resampling=FEW))
    metrics = evaluate(replace(request, fields=("treaty",))).metrics
    assert metrics["suite"]["baseline"] == {"treaty.f1_macro": 0.5}
    assert metrics["fields"]["treaty"]["labels"] == ["favor", "against", "none"]
    assert [check["passed"] for check in metrics["thresholds"]] == [False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tiny]\ndata = ['x.jsonl']\nflor = 1\n", "unknown key 'flor'; did you mean 'floor'"),
        ("[tiny]\n", "'data' must be a list of files"),
        ("[tiny]\ndata = 'x.jsonl'\n", "data is 'x.jsonl', expected a list of strings"),
        ("[tinny]\ndata = ['x.jsonl']\n", "no suite 'tiny'; did you mean 'tinny'"),
        ("[tiny]\ndata = ['x.jsonl']\nfloor = { a.b = 1 }\n", "quote names that hold a dot"),
    ],
)
def test_a_suite_that_is_wrong_is_named(tmp_path, text, message):
    path = tmp_path / "suites.toml"
    path.write_text(text)
    with pytest.raises(StancelineError, match=message):
        read_suite(path, "tiny")


def test_the_project_s_own_suites_can_be_read():
    import tomllib

    path = Path(__file__).parent.parent / "eval" / "suites.toml"
    for name in tomllib.loads(path.read_text(encoding="utf-8")):
        suite = read_suite(path, name)
        assert suite.description
        for field in suite.fields:
            assert Field(field, STANCE_LABELS)


def test_a_datasets_folder_is_read_like_a_file(other_system, tmp_path):
    import datasets

    request = other_system()
    rows = [json.loads(line) for line in (tmp_path / "gold.jsonl").read_text().splitlines()]
    datasets.disable_progress_bars()
    datasets.DatasetDict({"test": datasets.Dataset.from_list(rows)}).save_to_disk(str(tmp_path / "saved"))
    found = evaluate(replace(request, labels=(f"{tmp_path / 'saved'}:test",), fields=("treaty",))).metrics
    assert found["fields"]["treaty"]["scores"]["accuracy"]["value"] == 0.75
    assert list(found["data"]["files"]) == [f"{tmp_path / 'saved'}:test"]
    with pytest.raises(LabelError, match="no split 'dev'; there are test"):
        evaluate(replace(request, labels=(f"{tmp_path / 'saved'}:dev",)))
    with pytest.raises(LabelError, match="no such file"):
        evaluate(replace(request, labels=(tmp_path / "nothing.jsonl",)))
