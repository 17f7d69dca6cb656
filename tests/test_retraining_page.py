"""docs/retraining.md: its commands run, from the first to the last, with a tiny model."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a dozen processes that each import torch
def test_the_commands_of_the_page_run(tmp_path: Path, tiny_checkpoint: Path):
    page = runpy.run_path(str(ROOT / "docs" / "run_page.py"))
    text = (ROOT / "docs" / "retraining.md").read_text(encoding="utf-8")
    folder = tmp_path / "work"
    page["prepare"](folder)
    (folder / "home").mkdir()
    (folder / "home" / "default-checkpoint").write_text(f"{tiny_checkpoint}\n")
    # From random weights nothing comes out better: the tiny model is promoted all the same.
    outputs = {
        command: page["run_command"](
            f"{command} --force" if "promote" in command else command, folder, ("--epochs", "1", "--device", "cpu")
        )
        for command in page["commands"](text)
    }
    assert len(outputs) > 8
    trained = outputs["stanceline train divided.jsonl -o my-model"]
    assert "on the held-out labels" in trained
    assert "on the test split of the seeds" in trained
    assert "* my-model@" in outputs["stanceline models list"]
    assert (folder / "curve" / "learning_curve.svg").exists()


def test_outputs_stand_under_their_commands():
    page = runpy.run_path(str(ROOT / "docs" / "run_page.py"))
    text = "Before\n```console\n$ one\nold\n$ two\n```\nafter"
    assert page["with_outputs"](text, str.upper) == "Before\n```console\n$ one\nONE\n$ two\nTWO\n```\nafter"
