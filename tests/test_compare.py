import json

import pytest
from click.testing import CliRunner

from stanceline import compare
from stanceline.cli import cli
from stanceline.errors import LabelError, OutputError
from stanceline.field_scores import Resampling
from stanceline.label_files import write_examples

FEW = Resampling(samples=200)
LABELS = ("favor", "against", "neutral", "none")


@pytest.fixture
def files(tmp_path):
    """Gold labels of 30 articles, and three systems: one always right, one right on even articles, one of chance."""
    gold = {(f"a{n}", i): LABELS[(n + i) % 4] for n in range(30) for i in range(3)}
    systems = {
        "gold": gold,
        "right": gold,
        "half": {key: label if int(key[0][1:]) % 2 else "none" for key, label in gold.items()},
    }
    for name, labels in systems.items():
        rows = [
            {"article_id": article, "sentence_index": i, "text": f"Sentence {i} of {article}.", "treaty": label}
            for (article, i), label in labels.items()
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_a_better_system_is_called_better_whichever_side_it_is_on(files):
    for a, b, winner in (("half", "right", "B"), ("right", "half", "A")):
        found = compare.compare(
            str(files / f"{a}.jsonl"), str(files / f"{b}.jsonl"), [files / "gold.jsonl"], resampling=FEW
        )
        assert found.fields["treaty"].verdict == winner
        assert found.verdict().startswith(f"{winner} is better on treaty by ")


def test_a_system_is_not_better_than_itself(files):
    side = str(files / "half.jsonl")
    found = compare.compare(side, side, [files / "gold.jsonl"], resampling=FEW)
    assert found.verdict() == "no difference is shown on treaty"
    field = found.fields["treaty"]
    assert field.differences["f1_macro"].interval.estimate == 0
    assert (field.test.only_a, field.test.only_b, field.test.p_value) == (0, 0, 1.0)
    assert list(compare.flips(found)) == []


def test_flips_are_the_sentences_that_only_one_side_has_right(files):
    found = compare.compare(
        str(files / "half.jsonl"), str(files / "right.jsonl"), [files / "gold.jsonl"], resampling=FEW
    )
    flips = list(compare.flips(found))
    assert {row["way"] for row in flips} == {"gained"}
    assert len(flips) == found.fields["treaty"].test.only_b
    assert all(row["a"] == "none" and row["b"] == row["gold"] for row in flips)


def test_two_checkpoints_and_their_predictions_compare_alike(tiny_checkpoint, few_dev, seed_scheme, tmp_path):
    from stanceline.ablations import articles_of
    from stanceline.classifier import StanceClassifier

    labels = tmp_path / "labels.jsonl"
    write_examples(labels, few_dev, seed_scheme.fields)
    predictions = tmp_path / "predictions.jsonl"
    classifier = StanceClassifier.from_pretrained(tiny_checkpoint, device="torch")
    rows = [prediction.to_row() for prediction in classifier.classify(articles_of(few_dev))]
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = compare.compare(str(tiny_checkpoint), str(predictions), [labels], device="torch", resampling=FEW)
    assert list(found.fields) == [field.name for field in seed_scheme.fields]
    assert list(compare.flips(found)) == []
    assert found.name_a == classifier.manifest.reference


def test_a_field_that_one_side_lacks_is_named_and_not_compared(files):
    rows = [json.loads(line) | {"pact": "none"} for line in (files / "half.jsonl").read_text().splitlines()]
    (files / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sides = str(files / "more.jsonl"), str(files / "right.jsonl")
    assert compare.compare(*sides, [files / "gold.jsonl"], resampling=FEW).left_out == ("pact",)
    with pytest.raises(LabelError, match=r"right\.jsonl: has no field 'pact' to compare"):
        compare.compare(*sides, [files / "gold.jsonl"], fields=["pact"], resampling=FEW)


def test_predictions_of_other_sentences_are_refused(files):
    short = files / "short.jsonl"
    short.write_text("".join((files / "half.jsonl").read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(LabelError, match="1 sentences are labelled, but not predicted"):
        compare.compare(str(short), str(files / "right.jsonl"), [files / "gold.jsonl"], resampling=FEW)


def test_the_command_prints_the_verdict_and_writes_both_files(files):
    arguments = ["compare", *(str(files / f"{n}.jsonl") for n in ("half", "right", "gold")), "-o", str(files / "out")]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None
    data = json.loads((files / "out" / "comparison.json").read_text())
    assert data["fields"]["treaty"]["better"] == "B"
    assert data["verdict"] in result.output
    assert (files / "out" / "flips.jsonl").read_text().count("\n") == data["fields"]["treaty"]["mcnemar"]["only_b"]
    assert isinstance(CliRunner().invoke(cli, arguments, standalone_mode=False).exception, OutputError)
