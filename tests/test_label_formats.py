"""Labels from and to the tools of annotation; the files have the shape that those tools write."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from stanceline.errors import LabelError, OutputError, UsageError
from stanceline.label_exports import export_labels, label_studio_config
from stanceline.label_files import read_examples
from stanceline.label_formats import Questions, import_labels
from stanceline.labels import LabelScheme, Target

TARGETS = ("western_policy", "global_security_proposals")
SCHEME = LabelScheme((Target("western_policy", 'What "the West" does & says'), Target("global_security_proposals")))
OFFER = "The offer of talks was received with relief in both capitals."
FLEET = "The fleet left harbour at dawn."


def choice(question: str, *choices: str) -> dict:
    value = {"choices": list(choices)}
    return {
        "id": "Xk2",
        "type": "choices",
        "origin": "manual",
        "from_name": question,
        "to_name": "text",
        "value": value,
    }


def annotation(person: object, updated: str, *results: dict, cancelled: bool = False) -> dict:
    return {
        "id": 71,
        "completed_by": person,
        "result": list(results),
        "was_cancelled": cancelled,
        "ground_truth": False,
        "created_at": "2026-03-01T09:00:00.000000Z",
        "updated_at": updated,
        "draft_created_at": None,
        "lead_time": 6.4,
        "prediction": {},
        "result_count": len(results),
        "unique_id": "0d2c",
        "task": 5,
        "project": 2,
    }


def task(number: int, data: dict, *annotations: dict) -> dict:
    return {
        "id": number,
        "annotations": list(annotations),
        "file_upload": "5f-tasks.json",
        "drafts": [],
        "predictions": [],
        "data": data,
        "meta": {},
        "created_at": "2026-03-01T08:00:00.000000Z",
        "updated_at": "2026-03-01T09:00:00.000000Z",
        "inner_id": number,
        "total_annotations": len(annotations),
        "project": 2,
    }


def written(path: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def jsonl(path: Path, *rows: dict) -> Path:
    return written(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_label_studio_keeps_ids_context_and_the_last_answer(tmp_path: Path):
    data = {"article_id": "a1", "sentence_index": 3, "text": OFFER, "title": "Talks", "before": FLEET}
    path = written(
        tmp_path / "project.json",
        [
            task(
                1,
                data,
                annotation(
                    2, "2026-03-02T10:00:00Z", choice("western_policy", "none"), choice("sentiment", "positive")
                ),
                annotation(1, "2026-03-01T10:00:00Z", choice("western_policy", "neutral")),
            ),
            task(2, {"article_id": "a1", "sentence_index": 4, "text": FLEET}),
            task(3, {"text": "Nothing else was said."}, annotation({"email": "x@y.z"}, "", cancelled=True)),
        ],
    )
    imported = import_labels(path, "label-studio", Questions.of(TARGETS))
    first, second, third = imported.examples
    assert (first.key, first.title) == (("a1", 3), "Talks")
    assert first.labels == {"western_policy": "none", "sentiment": "positive"}
    assert "before" not in first.extra
    assert (second.key, second.labels) == (("a1", 4), {})
    assert (third.article_id, third.labels) == ("label-studio-3", {})
    assert len(imported.conflicts) == 1
    assert "western_policy is none by 2, was neutral" in imported.conflicts[0]


def test_one_annotators_answers_can_be_taken_alone(tmp_path: Path):
    answers = [annotation(who, "", choice("sentiment", label)) for who, label in ((1, "positive"), (2, "negative"))]
    path = written(tmp_path / "project.json", [task(1, {"text": OFFER}, *answers)])
    imported = import_labels(path, "label-studio", Questions.of(TARGETS), annotator="1")
    assert imported.examples[0].labels == {"sentiment": "positive"}
    assert not imported.conflicts


def test_label_studio_json_min(tmp_path: Path):
    row = {"id": 9, "text": OFFER, "article_id": "a1", "sentence_index": 0, "western_policy": "favor"}
    row |= {"sentiment": {"choices": ["positive"]}, "annotator": 1, "annotation_id": 4, "lead_time": 3.2}
    imported = import_labels(written(tmp_path / "min.json", [row]), "label-studio", Questions.of(TARGETS))
    assert imported.examples[0].labels == {"western_policy": "favor", "sentiment": "positive"}
    assert imported.examples[0].extra == {}


def test_doccano(tmp_path: Path):
    path = jsonl(
        tmp_path / "admin.jsonl",
        {
            "id": 12,
            "text": OFFER,
            "article_id": "a1",
            "sentence_index": 0,
            "label": ["western_policy:none"],
            "Comments": [],
        },
        {"id": 13, "text": FLEET, "label": [], "Comments": ["unsure"]},
    )
    first, second = import_labels(path, "doccano", Questions.of(TARGETS)).examples
    assert (first.key, first.labels) == (("a1", 0), {"western_policy": "none"})
    assert (second.article_id, second.labels) == ("doccano-13", {})


def test_prodigy_takes_only_what_was_accepted(tmp_path: Path):
    def row(number: int, answer: str, **more: object) -> dict:
        common = {"text": f"{OFFER} {number}", "_input_hash": number, "_task_hash": -number, "_view_id": "choice"}
        return {**common, "answer": answer, "_timestamp": 1780000000, "_annotator_id": "set-anna", **more}

    options = [{"id": "favor", "text": "In favour"}, {"id": "against", "text": "Against"}]
    path = jsonl(
        tmp_path / "set.jsonl",
        row(1, "accept", options=options, accept=["favor"], meta={"article_id": "a1", "sentence_index": 2}),
        row(2, "ignore", options=options, accept=["against"]),
        row(3, "accept", label="sentiment:negative", _view_id="classification"),
        row(4, "reject", label="sentiment:negative", _view_id="classification"),
    )
    questions = Questions.of(TARGETS, ["global_security_proposals"])
    found = import_labels(path, "prodigy", questions).examples
    assert found[0].key == ("a1", 2)
    assert [e.labels for e in found] == [{"global_security_proposals": "favor"}, {}, {"sentiment": "negative"}, {}]


def test_argilla_nested_and_flat(tmp_path: Path):
    nested = {
        "id": "r1",
        "fields": {"text": OFFER},
        "metadata": {"article_id": "a1", "sentence_index": 1},
        "suggestions": {"stance": {"value": "none", "score": 0.6, "agent": "m"}},
        "responses": {
            "stance": [{"value": "favor", "user_id": "u1"}],
            "sentiment": [{"value": "positive", "user_id": "u1"}],
        },
        "vectors": {},
        "_server_id": "s1",
    }
    flat = {
        "id": "r2",
        "status": "completed",
        "_server_id": "s2",
        "text": FLEET,
        "article_id": "a1",
        "sentence_index": 2,
        "stance.responses": ["none", "against"],
        "stance.responses.users": ["u1", "u2"],
        "stance.responses.status": ["submitted", "draft"],
        "stance.suggestion": "none",
    }
    questions = Questions.of(TARGETS, ["stance=global_security_proposals"])
    for content, labels in (
        (nested, {"global_security_proposals": "favor", "sentiment": "positive"}),
        (flat, {"global_security_proposals": "none"}),
    ):
        imported = import_labels(written(tmp_path / "records.json", [content]), "argilla", questions)
        assert imported.examples[0].labels == labels
        assert imported.examples[0].article_id == "a1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheet_of_any_country(tmp_path: Path, encoding: str, delimiter: str):
    rows = [["text", " western_policy ", "note"], [f"{OFFER}, said Öz", "Favor", "sure"], [FLEET, "", ""]]
    path = tmp_path / "sheet.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    first, second = import_labels(path, "csv", Questions.of(TARGETS)).examples
    assert (first.text, first.labels) == (f"{OFFER}, said Öz", {"western_policy": "favor"})
    assert first.extra == {"note": "sure"}
    assert (first.article_id, second.article_id) == ("sheet-2", "sheet-3")
    assert second.labels == {}


def test_a_spreadsheet_may_hold_a_long_text(tmp_path: Path):
    csv.field_size_limit(131_072)  # the default, which an earlier reader may have raised
    text = f"{OFFER} " * 5_000
    (tmp_path / "sheet.csv").write_text(f'text,western_policy\n"{text}",favor\n', encoding="utf-8")
    (example,) = import_labels(tmp_path / "sheet.csv", "csv", Questions.of(TARGETS)).examples
    assert example.text.strip() == text.strip()


def test_corrected_predictions_lose_the_models_columns_and_are_counted(tmp_path: Path):
    columns = ["article_id", "sentence_index", "text", "sentiment", "sentiment_confidence", "checkpoint"]
    columns += [f"sentiment_p_{label}" for label in ("positive", "negative", "neutral")]
    path = tmp_path / "corrected.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([columns, ["a", 0, OFFER, "positive", 0.7, "d@1", 0.7, 0.1, 0.2]])
        writer.writerow(["a", 1, FLEET, "neutral", 0.5, "d@1", 0.5, 0.1, 0.4])
    imported = import_labels(path, "csv", Questions.of(TARGETS))
    assert (imported.unchanged, imported.predicted) == (1, 2)
    assert all(example.extra == {} for example in imported.examples)


@pytest.mark.parametrize(
    ("tool", "content", "message"),
    [
        ("label-studio", [], "holds no records"),
        ("label-studio", "[{", "is not JSON"),
        ("label-studio", [{"id": 1, "annotations": []}], "record 1: has no `data`"),
        ("label-studio", [task(1, {"sentence": OFFER})], "record 1: has no text"),
        (
            "label-studio",
            [task(1, {"text": OFFER}, annotation(1, "", choice("western_policy", "pro")))],
            "record 1: 'pro' is not a label of western_policy; use one of favor, against, neutral, none",
        ),
        (
            "label-studio",
            [task(1, {"text": OFFER}, annotation(1, "", choice("western_policy", "favor", "against")))],
            "western_policy is both favor and against",
        ),
        (
            "label-studio",
            [task(1, {"text": OFFER}, annotation(1, "", choice("stance", "favor")))],
            "no answer to western_policy, global_security_proposals, sentiment; it answers stance",
        ),
        ("doccano", '{"id": 1, "text": "Yes.", "label": ["favor"]}', "'favor' does not say what it is about"),
        ("doccano", '{"id": 1, "text": "Yes.", "label": [[0, 3, "ORG"]]}', "text-classification project"),
        ("prodigy", '{"text": "Yes."}', "line 1: has no `answer`"),
        ("csv", "sentence,sentiment\nYes.,neutral\n", "no column 'text' among sentence, sentiment"),
        ("csv", "text,sentiment\nYes.,neutral,what\n", "line 2: has 3 cells, the header has 2"),
        ("csv", "text,sentiment,sentiment\nYes.,neutral,none\n", "column 'sentiment' stands twice"),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_place(tmp_path: Path, tool: str, content: object, message: str):
    path = written(tmp_path / "export.txt", content)
    with pytest.raises(LabelError) as error:
        import_labels(path, tool, Questions.of(TARGETS))
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_field_that_is_not_there_is_wrong_usage():
    with pytest.raises(UsageError, match="no field 'stances'"):
        Questions.of(TARGETS, ["stance=stances"])


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    rows = [
        {
            "article_id": "a",
            "title": "Talks",
            "source": "Wire",
            "date": "2026-01-02",
            "sentence_index": index,
            "text": text,
            "western_policy": "none",
            "sentiment": "positive",
            "start": None,
            "end": None,
            "western_policy_confidence": 0.9,
            "western_policy_p_none": 0.9,
            "sentiment_confidence": 0.4,
            "checkpoint": "default@1",
        }
        for index, text in enumerate((OFFER, FLEET))
    ]
    return jsonl(tmp_path / "predictions.jsonl", *rows)


def test_label_studio_gets_pre_annotations_that_its_interface_understands(predictions: Path, tmp_path: Path):
    table = read_examples([predictions], targets=TARGETS)
    export_labels(table.examples, table.fields, "label-studio", tmp_path / "tasks.json")
    first, second = json.loads((tmp_path / "tasks.json").read_text())
    assert second["data"]["before"] == OFFER
    prediction = first["predictions"][0]
    assert (prediction["model_version"], prediction["score"]) == ("default@1", 0.4)
    config = ElementTree.fromstring(label_studio_config(SCHEME))
    controls = {c.get("name"): [x.get("value") for x in c] for c in config.iter("Choices")}
    texts = {t.get("name"): t.get("value") for t in config.iter("Text")}
    for result in prediction["result"]:
        assert result["value"]["choices"][0] in controls[result["from_name"]]
        assert texts[result["to_name"]] == "$text"
    assert all(value.removeprefix("$") in first["data"] for value in texts.values())
    hotkeys = [choice.get("hotkey") for choice in config.iter("Choice")]
    assert len(hotkeys) == len(set(hotkeys)) == 11


def test_peoples_labels_are_exported_as_annotations(tmp_path: Path):
    path = jsonl(
        tmp_path / "labels.jsonl", {"article_id": "a", "sentence_index": 0, "text": OFFER, "sentiment": "neutral"}
    )
    table = read_examples([path], targets=TARGETS)
    export_labels(table.examples, table.fields, "label-studio", tmp_path / "tasks.json")
    (exported,) = json.loads((tmp_path / "tasks.json").read_text())
    assert "predictions" not in exported
    assert exported["annotations"][0]["result"][0]["value"] == {"choices": ["neutral"]}


@pytest.mark.parametrize("tool", ["label-studio", "doccano", "csv"])
def test_what_is_exported_comes_back_the_same(tmp_path: Path, tool: str):
    table = read_examples([Path(__file__).parent.parent / "seeds" / "labels.jsonl"], targets=TARGETS)
    examples = table.examples[:50]
    export_labels(examples, table.fields, tool, tmp_path / "out.txt")
    back = import_labels(tmp_path / "out.txt", tool, Questions.of(TARGETS)).examples
    assert [(e.key, e.text, e.title, e.date, e.labels) for e in back] == [
        (e.key, e.text, e.title, e.date, e.labels) for e in examples
    ]


def test_an_export_never_overwrites(predictions: Path, tmp_path: Path):
    table = read_examples([predictions], targets=TARGETS)
    with pytest.raises(OutputError, match="exists already"):
        export_labels(table.examples, table.fields, "csv", predictions)
