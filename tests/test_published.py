"""The rows of the published tasks, made from data of the same form with sentences of our own."""

import json
import subprocess
import sys
from pathlib import Path

from stanceline.config import read_recipe
from stanceline.label_files import read_examples
from stanceline.labels import read_targets
from stanceline.suites import read_suite

PUBLISHED = Path(__file__).parent.parent / "eval" / "published"


def news(text: str, target: str, split: str, document: str) -> dict:
    start = text.index(target)
    gid = f"{document}_3_{target}_{start}_{start + len(target)}"
    meta = {"from": start, "to": start + len(target), "gid": gid}
    return {"text": text, "target": target, "label": "neutral", "split": split, "meta": meta}


def tweet(text: str, target: str, label: str, split: str) -> dict:
    return {"text": text, "target": target, "label": label, "split": split}


def prepared(tmp_path: Path) -> Path:
    both = "The mayor met the union."
    data = {
        "newsmtsc": [
            news(both, "mayor", "train", "paper_1_2"),
            news(both, "union", "train", "paper_1_2"),
            news(both, "union", "train", "paper_7_8"),
            news("The port reopened.", "port", "test_rw", "paper_1_2"),
        ],
        "semeval2016_t6_tweeteval": [
            tweet("Trams for all!", "Public Transport", "favor", "train"),
            tweet("trams, for all", "Public Transport", "favor", "val"),
            tweet("Lovely soup.", "Public Transport", "neutral", "test"),
        ],
    }
    for name, rows in data.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, PUBLISHED / "prepare.py", tmp_path, "-o", tmp_path / "rows"]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "rows"


def test_rows_have_an_identity_a_target_and_the_task_s_labels(tmp_path: Path):
    rows = prepared(tmp_path)
    train = read_examples([rows / "newsmtsc.train.jsonl"], marked=True).examples
    # The text came again in another document: it stays where it was, lest it be in train and in dev.
    assert [example.key for example in train] == [("newsmtsc/train/paper_1_2", index) for index in range(3)]
    assert not any(example.related for example in train)
    assert read_examples([rows / "newsmtsc.test_rw.jsonl"], marked=True).counts.used == 1
    tweets = read_examples([rows / "semeval2016.train.jsonl"], targets=["stance"], marked=True).examples
    assert [example.labels for example in tweets] == [{"stance": "favor"}] * 2
    assert len({example.article_id for example in tweets}) == 1
    (last,) = read_examples([rows / "semeval2016.test.jsonl"], targets=["stance"], marked=True).examples
    assert last.labels == {"stance": "none"}


def test_recipes_targets_and_suites_can_be_read():
    for name in ("newsmtsc", "semeval2016"):
        assert read_recipe(PUBLISHED / f"{name}.toml").model.is_marked
    assert [target.name for target in read_targets(PUBLISHED / "targets.toml")] == ["stance"]
    for name in ("newsmtsc_rw", "newsmtsc_mt", "semeval2016"):
        suite = read_suite(PUBLISHED / "suites.toml", name)
        assert list(suite.baseline) == [suite.main_metric]
