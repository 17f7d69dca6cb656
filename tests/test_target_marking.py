"""Targets that stand in the rows: how they are marked, what is refused, and the way from labels to predictions."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stanceline import checkpoint
from stanceline.bases import load_base
from stanceline.classifier import StanceClassifier
from stanceline.config import AugmentConfig, ModelConfig, Recipe
from stanceline.errors import InputError, LabelError
from stanceline.label_files import read_examples
from stanceline.labels import LabelScheme, Target
from stanceline.records import Article, Example, Sentence
from stanceline.target_marking import Marked, mark
from stanceline.training_data import epoch_steps, prepare, windows_of

MARKED = ModelConfig(max_length=64, title_length=12, target_input="marked")
SENTIMENT = LabelScheme((), sentiment=True)
TEXT = "The mayor praised Anna Berg and blamed the port."


def offsets(text: str, target: str) -> dict:
    start = text.index(target)
    return {"target": target, "target_start": start, "target_end": start + len(target)}


def test_a_mention_is_put_between_marks_and_nothing_else_changes():
    assert mark(TEXT, offsets(TEXT, "Anna Berg")) == Marked("The mayor praised * Anna Berg * and blamed the port.")


def test_offsets_count_code_points_and_may_be_written_as_tables_do():
    text = "😀 Zoë’s plan pleased Zoë."
    assert (
        mark(text, {"target": "Zoë", "target_start": "2", "target_end": 5.0}).text == "😀 * Zoë *’s plan pleased Zoë."
    )


def test_without_offsets_the_target_stands_before_the_sentence():
    for row in ({"target": " the port "}, {"target": "the port", "target_start": None, "target_end": float("nan")}):
        assert mark(TEXT, row) == Marked(TEXT, "the port")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "has no target"),
        ({"target": " "}, "has no target"),
        ({"target": None}, "has no target"),
        ({"target": "mayor", "target_start": 4}, "has target_start alone; give both"),
        (
            {"target": "mayor", "target_start": "four", "target_end": 9},
            "target_start 'four', which is not a whole number",
        ),
        ({"target": "mayor", "target_start": 4.5, "target_end": 9}, "target_start 4.5, which is not a whole number"),
        ({"target": "mayor", "target_start": True, "target_end": 9}, "target_start True, which is not a whole number"),
        ({"target": "mayor", "target_start": -1, "target_end": 4}, "outside the text of 48 code points"),
        ({"target": "port.", "target_start": 43, "target_end": 49}, "outside the text of 48 code points"),
        ({"target": "mayor", "target_start": 4, "target_end": 4}, "cut out nothing"),
        ({"target": "mayor", "target_start": 9, "target_end": 4}, "cut out nothing"),
        ({"target": "mayor", "target_start": 3, "target_end": 8}, "cut out ' mayo', not the target 'mayor'"),
    ],
)
def test_a_target_that_cannot_be_marked_is_refused_with_the_reason(row, message):
    with pytest.raises(ValueError, match=r"^has |^target_start") as caught:
        mark(TEXT, row)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def example(number: int, text: str, sentiment: str, row: dict, prefix: str = "a", **others) -> Example:
    return Example(f"{prefix}-{number}", 0, text, {"sentiment": sentiment}, extra=row, **others)


def windows(encoder_folder: Path, *examples: Example) -> list[str]:
    base = load_base(encoder_folder, SENTIMENT, MARKED)
    (article,) = prepare([examples], base.encoder, SENTIMENT)
    return [
        base.encoder.tokenizer.decode(w.token_ids, skip_special_tokens=False) for w in windows_of(article, base.encoder)
    ]


def test_the_same_sentence_with_another_target_is_another_input(tiny_encoder: Path):
    read = [
        windows(tiny_encoder, example(0, TEXT, "positive", row))
        for row in (offsets(TEXT, "mayor"), offsets(TEXT, "port"), {"target": "mayor"}, {"target": "port"})
    ]
    assert len({str(found) for found in read}) == 4


def test_behind_its_target_a_sentence_is_read_alone_and_its_neighbours_together(tiny_encoder: Path):
    sentences = ["Peace came.", "Talks went on.", "War ended."]
    rows = [{**offsets(sentences[0], "Peace")}, {"target": "talks"}, {**offsets(sentences[2], "War")}]
    article = [
        Example("a", index, text, {"sentiment": "neutral"}, title="The news", extra=row)
        for index, (text, row) in enumerate(zip(sentences, rows, strict=True))
    ]
    base = load_base(tiny_encoder, SENTIMENT, MARKED)
    (prepared,) = prepare([article], base.encoder, SENTIMENT)
    found = windows_of(prepared, base.encoder)
    assert [window.sentences for window in found] == [[0], [1], [2]]
    sep = base.encoder.special.sep
    target, sentence = base.encoder.tokenize(["talks", sentences[1]])
    assert found[1].token_ids == [base.encoder.special.cls, *target, sep, *sentence, sep]
    assert found[1].spans == [(len(target) + 2, len(target) + 2 + len(sentence))]


def test_a_dropped_title_leaves_the_target_where_it_is(tiny_encoder: Path):
    base = load_base(tiny_encoder, SENTIMENT, MARKED)
    articles = prepare([[example(0, TEXT, "neutral", {"target": "the port"})]], base.encoder, SENTIMENT)
    recipe = Recipe(augment=AugmentConfig(cut_probability=1.0, drop_title_probability=1.0))
    (((_, window),),) = epoch_steps(articles, base.encoder, recipe, 0)[0]
    assert window == windows_of(articles[0], base.encoder)[0]


def test_a_label_row_without_a_target_is_refused_with_file_and_line(tmp_path: Path):
    path = tmp_path / "labels.jsonl"
    rows = [{"target": "mayor"}, {"target": "mayor", "target_start": 0, "target_end": 5}, {}]
    path.write_text(
        "".join(
            json.dumps({"article_id": str(n), "sentence_index": 0, "text": TEXT, "sentiment": "neutral", **row}) + "\n"
            for n, row in enumerate(rows)
        )
    )
    with pytest.raises(LabelError) as caught:
        read_examples([path], marked=True)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{path} line 2: target_start 0 and target_end 5 cut out 'The m'")
    assert second.startswith(f"{path} line 3: has no target")
    assert read_examples([path]).examples[0].extra["target"] == "mayor"  # an ordinary column otherwise


FAVORED = ["Anna praised {}.", "We thank {} warmly.", "Everybody loves {}.", "A great day for {}."]
BLAMED = ["Anna attacked {}.", "We blame {} bitterly.", "Nobody trusts {}.", "A terrible day for {}."]
NAMES = ["the mayor", "the port", "the union"]


def label_rows(prefix: str, *, with_offsets: bool) -> list[dict]:
    rows = []
    for label, templates in (("positive", FAVORED), ("negative", BLAMED)):
        for number, template in enumerate(templates):
            for name in NAMES:
                text = template.format(name)
                row = offsets(text, name) if with_offsets else {"target": name}
                article_id = f"{prefix}-{label}-{number}-{name}"
                rows.append({"article_id": article_id, "sentence_index": 0, "text": text, **row, "sentiment": label})
    return rows


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


RECIPE = """
epochs = 2.0
batch_sentences = 8
[model]
target_input = "marked"
max_length = 64
title_length = 12
"""


@pytest.fixture(scope="module")
def marked_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A tiny checkpoint that reads marked targets: sentiment alone, from an encoder, by the command."""
    from click.testing import CliRunner

    from stanceline.cli import cli

    folder = tmp_path_factory.mktemp("marked")
    train = write(folder / "train.jsonl", label_rows("train", with_offsets=True))
    dev = write(folder / "dev.jsonl", label_rows("dev", with_offsets=False))
    (folder / "recipe.toml").write_text(RECIPE)
    arguments = ["train", train, "--dev", dev, "--base", tiny_encoder, "--recipe", folder / "recipe.toml"]
    arguments += ["-o", folder / "marked", "--device", "cpu", "--quiet"]
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder / "marked"


def test_a_checkpoint_stores_that_it_reads_marked_targets(marked_checkpoint: Path, tiny_checkpoint: Path):
    manifest = checkpoint.read_manifest(marked_checkpoint)
    assert manifest.model.is_marked
    assert [field.name for field in manifest.scheme.fields] == ["sentiment"]
    assert not checkpoint.read_manifest(tiny_checkpoint).model.is_marked


def test_a_checkpoint_from_before_the_key_reads_as_head_and_keeps_its_hash(tiny_checkpoint: Path, tmp_path: Path):
    checkpoint.copy_checkpoint(tiny_checkpoint, tmp_path / "old")
    path = tmp_path / "old" / checkpoint.MANIFEST
    data = json.loads(path.read_text())
    assert data["model"].pop("target_input") == "head"
    path.write_text(json.dumps(data))
    old = checkpoint.read_manifest(tmp_path / "old")
    assert old.model.target_input == "head"
    assert old.hash == checkpoint.read_manifest(tiny_checkpoint).hash


def test_the_cpu_copy_agrees_with_the_reference_on_marked_rows(marked_checkpoint: Path):
    articles = [
        Article(row["article_id"], sentences=(Sentence(0, row["text"], extra=row),))
        for with_offsets in (True, False)
        for row in label_rows(str(with_offsets), with_offsets=with_offsets)
    ]
    copy, reference = (
        list(StanceClassifier.from_pretrained(marked_checkpoint, device=device).classify(articles))
        for device in ("cpu", "torch")
    )
    assert len(copy) == len(articles)
    for one, other in zip(copy, reference, strict=True):
        found, wanted = one.fields["sentiment"].probabilities, other.fields["sentiment"].probabilities
        assert found == pytest.approx(wanted, abs=0.05)


def test_classify_carries_text_and_offsets_as_they_were(marked_checkpoint: Path, tmp_path: Path, stanceline):
    rows = [*label_rows("a", with_offsets=True)[:4], {"text": "The port is closed.", "target": "the port"}]
    bad = [
        {**rows[0], "article_id": "bad", "target_start": 0},
        {"article_id": "none", "sentence_index": 0, "text": TEXT},
    ]
    table = write(tmp_path / "rows.jsonl", [*rows, *bad])
    output = tmp_path / "out.jsonl"
    status, _, _ = stanceline("classify", table, "--model", marked_checkpoint, "-o", output, "--device", "cpu")
    assert status == 3
    found = [json.loads(line) for line in output.read_text().splitlines()]
    for row, given in zip(found, rows, strict=True):
        assert row["text"] == given["text"]
        assert {name: row[name] for name in ("target", "target_start", "target_end")} == {
            name: given.get(name) for name in ("target", "target_start", "target_end")
        }
        assert row["sentiment"] in ("positive", "negative", "neutral")
    rejected = [json.loads(line) for line in (tmp_path / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [row["place"] for row in rejected] == [f"{table} line 6", f"{table} line 7"]
    assert "not the target" in rejected[0]["reason"]
    assert "has no target" in rejected[1]["reason"]


def test_a_table_without_the_column_is_an_error_before_any_work(marked_checkpoint: Path, tmp_path: Path, stanceline):
    table = write(tmp_path / "rows.jsonl", [{"text": TEXT}])
    output = tmp_path / "out.jsonl"
    status, _, err = stanceline("classify", table, "--model", marked_checkpoint, "-o", output)
    assert status == 1
    assert "has no column 'target'" in err


def test_evaluate_scores_marked_rows_and_slices_by_target(marked_checkpoint: Path, tmp_path: Path, stanceline):
    labels = write(tmp_path / "labels.jsonl", label_rows("test", with_offsets=True))
    report = tmp_path / "report"
    arguments = ("--model", marked_checkpoint, "-o", report, "--by", "target", "--ablations", "--device", "cpu")
    status, _, err = stanceline("evaluate", labels, *arguments, "--resamples", 100, "--quiet")
    assert status == 0, err
    metrics = json.loads((report / "metrics.json").read_text())
    assert {part["value"] for part in metrics["fields"]["sentiment"]["slices"]["target"]} == set(NAMES)
    assert set(metrics["fields"]["sentiment"]["ablations"]) == {"context_removed"}
    first = json.loads((report / "predictions.jsonl").read_text().splitlines()[0])
    assert first["text"][first["target_start"] : first["target_end"]] == first["target"]
    unmarked = write(tmp_path / "unmarked.jsonl", [{**label_rows("x", with_offsets=False)[0], "target": None}])
    status, _, err = stanceline("evaluate", unmarked, "--model", marked_checkpoint, "--quiet")
    assert status == 1
    assert f"{unmarked} line 1: has no target" in err


def test_training_goes_on_from_a_marked_checkpoint_without_the_seeds(
    marked_checkpoint: Path, tmp_path: Path, stanceline
):
    train = write(tmp_path / "train.jsonl", label_rows("more", with_offsets=False))
    dev = write(tmp_path / "dev.jsonl", label_rows("dev", with_offsets=True))
    arguments = (train, "--dev", dev, "--base", marked_checkpoint, "--epochs", 1, "--device", "cpu", "--quiet")
    status, out, err = stanceline("train", *arguments, "-o", tmp_path / "next")
    assert status == 0, err
    assert "seeds" not in out
    assert checkpoint.read_manifest(tmp_path / "next").model.is_marked
    status, _, err = stanceline("train", *arguments, "--replay", 1, "-o", tmp_path / "other")
    assert status == 1
    assert "leave replay at 0" in err


def test_a_stance_alone_is_a_field_and_a_head_checkpoint_cannot_become_marked(
    tiny_encoder: Path, tiny_checkpoint: Path, tmp_path: Path, stanceline
):
    rows = [
        {**row, "sentiment": None, "stance": "favor" if row["sentiment"] == "positive" else "against"}
        for row in label_rows("s", with_offsets=False)
    ]
    train = write(tmp_path / "train.jsonl", rows)
    dev = write(tmp_path / "dev.jsonl", [{**row, "article_id": f"dev-{row['article_id']}"} for row in rows])
    (tmp_path / "targets.toml").write_text('[stance]\ndescription = "Whatever the row names."\n')
    (tmp_path / "recipe.toml").write_text(RECIPE)
    arguments = (train, "--dev", dev, "--targets", tmp_path / "targets.toml", "--recipe", tmp_path / "recipe.toml")
    arguments += ("--device", "cpu", "--quiet", "-o", tmp_path / "new")
    status, _, err = stanceline("train", *arguments, "--base", tiny_checkpoint)
    assert status == 1
    assert "model.target_input is 'marked', but" in err
    status, _, err = stanceline("train", *arguments, "--base", tiny_encoder)
    assert status == 0, err
    assert checkpoint.read_manifest(tmp_path / "new").scheme == LabelScheme(
        (Target("stance", "Whatever the row names."),), sentiment=False
    )
    arguments = ("--model", tmp_path / "new", "--by", "target", "-o", tmp_path / "report", "--device", "cpu", "--quiet")
    status, _, err = stanceline("evaluate", tmp_path / "dev.jsonl", *arguments, "--resamples", 100)
    assert status == 0, err
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text())["fields"]["stance"]
    assert {part["value"] for part in figures["slices"]["target"]} == set(NAMES)
    assert all("f1_favor_against" in part for part in figures["slices"]["target"])


def test_the_classifier_names_article_and_sentence_of_a_target_that_is_missing(marked_checkpoint: Path):
    classifier = StanceClassifier.from_pretrained(marked_checkpoint, device="cpu")
    fine = Sentence(3, TEXT, extra=offsets(TEXT, "mayor"))
    article = Article("news", sentences=(fine, Sentence(4, TEXT, extra={"target": ""})))
    with pytest.raises(InputError, match="article 'news' sentence 4 has no target"):
        list(classifier.classify([article]))
    with pytest.raises(InputError, match="article 'text' has no target"):
        classifier.classify_text("The port is closed.")
    with pytest.raises(InputError, match="article 'list' has target_start and target_end for several sentences"):
        list(classifier.classify([Article("list", sentences=(Sentence(0, TEXT),), extra=offsets(TEXT, "mayor"))]))


def test_a_text_with_offsets_is_one_sentence_and_without_them_it_is_split(marked_checkpoint: Path):
    classifier = StanceClassifier.from_pretrained(marked_checkpoint, device="cpu")
    text = "The mayor spoke. The port is closed."
    whole = Article("a", text=text, extra=offsets(text, "port"))
    (prediction,) = classifier.classify([whole])
    assert (prediction.text, prediction.start, prediction.end) == (text, 0, len(text))
    assert len(list(classifier.classify([replace(whole, extra={"target": "port"})]))) == 2
