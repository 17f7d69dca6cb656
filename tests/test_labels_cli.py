"""`stanceline labels`, as it is called."""

import json
from pathlib import Path

import pytest


def labels_file(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(index: int, text: str, **labels: str) -> dict:
    return {"article_id": "a", "sentence_index": index, "text": text, **labels}


def test_check_passes_the_seeds(stanceline):
    seeds = Path(__file__).parent.parent / "seeds" / "labels.jsonl"
    status, out, _ = stanceline("labels", "check", seeds)
    assert status == 0
    assert "0 errors" in out


def test_check_fails_with_file_and_line(stanceline, tmp_path: Path):
    path = labels_file(tmp_path / "l.jsonl", row(0, "Yes.", sentiment="neutral"), row(1, "No.", sentiment="grim"))
    status, out, _ = stanceline("labels", "check", path)
    assert status == 1
    assert f"error: {path} line 2: 'grim' is not a sentiment" in out


def test_merge_lists_what_gave_way(stanceline, tmp_path: Path):
    first = labels_file(tmp_path / "1.jsonl", row(0, "Yes.", sentiment="neutral"), row(1, "No.", sentiment="negative"))
    second = labels_file(tmp_path / "2.jsonl", row(0, "Yes.", sentiment="positive"))
    status, out, err = stanceline("labels", "merge", first, second, "-o", tmp_path / "both.jsonl")
    assert status == 0
    assert "2 labelled sentences; 1 labels gave way" in out
    assert f"{second} line 1: sentence 0 of article 'a': sentiment is positive, was neutral at {first} line 1" in err
    merged = [json.loads(line) for line in (tmp_path / "both.jsonl").read_text().splitlines()]
    assert [r["sentiment"] for r in merged] == ["positive", "negative"]


def test_split_writes_whole_articles_into_one_part(stanceline, tmp_path: Path):
    rows = [
        {**row(i, f"Sentence {i}.", sentiment="neutral"), "article_id": f"a{n}"} for n in range(40) for i in range(3)
    ]
    path = labels_file(tmp_path / "l.jsonl", *rows)
    status, *_ = stanceline("labels", "split", path, "-o", tmp_path / "s.jsonl", "--dev", "20", "--test", "20")
    assert status == 0
    parts = {}
    for line in (tmp_path / "s.jsonl").read_text().splitlines():
        parts.setdefault(json.loads(line)["article_id"], set()).add(json.loads(line)["split"])
    assert all(len(found) == 1 for found in parts.values())
    assert set.union(*parts.values()) == {"train", "dev", "test"}
    again = labels_file(tmp_path / "more.jsonl", *rows, {**row(0, "More.", sentiment="neutral"), "article_id": "new"})
    stanceline("labels", "split", again, "-o", tmp_path / "t.jsonl", "--dev", "20", "--test", "20")
    assert (tmp_path / "t.jsonl").read_text().startswith((tmp_path / "s.jsonl").read_text())


def test_export_correct_import_round(stanceline, tmp_path: Path):
    path = labels_file(tmp_path / "l.jsonl", row(0, "Yes.", sentiment="neutral"), row(1, "No.", sentiment="negative"))
    tasks = tmp_path / "tasks.json"
    status, out, _ = stanceline("labels", "export", path, "--to", "label-studio", "-o", tasks)
    assert status == 0
    assert Path(f"{tasks}.config.xml").read_text().startswith("<View>")
    status, out, _ = stanceline("labels", "import", tasks, "--from", "label-studio", "-o", tmp_path / "back.jsonl")
    assert status == 0
    assert "2 labelled sentences" in out
    back = [json.loads(line) for line in (tmp_path / "back.jsonl").read_text().splitlines()]
    assert [r["sentiment"] for r in back] == ["neutral", "negative"]


def test_a_target_of_ones_own_is_imported(stanceline, tmp_path: Path):
    (tmp_path / "targets.toml").write_text('[ocean_treaty]\ndescription = "A treaty."\n')
    sheet = tmp_path / "s.csv"
    sheet.write_text("text,ocean_treaty\nSign it.,favor\n")
    output = tmp_path / "l.jsonl"
    status, *_ = stanceline(
        "labels", "import", sheet, "--from", "csv", "--targets", tmp_path / "targets.toml", "-o", output
    )
    assert status == 0
    assert json.loads(output.read_text())["ocean_treaty"] == "favor"


@pytest.mark.parametrize("command", ["check", "merge", "split", "import", "export"])
def test_every_command_explains_itself(stanceline, command: str):
    status, out, _ = stanceline("labels", command, "--help")
    assert status == 0
    assert len(out.splitlines()) > 8


def test_a_file_that_is_not_there_is_one_line(stanceline, tmp_path: Path):
    for command in (["check"], ["merge", "-o", tmp_path / "x.jsonl"], ["export", "--to", "csv", "-o", tmp_path / "x"]):
        status, _, err = stanceline("labels", *command, tmp_path / "nowhere.jsonl")
        assert status == 1
        assert err.count("\n") == 1
        assert "nowhere.jsonl" in err
