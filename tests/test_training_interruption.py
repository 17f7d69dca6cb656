"""A training that is interrupted goes on where it was, and ends at the same scores."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stanceline.checkpoint import read_manifest
from stanceline.config import ModelConfig, Recipe
from stanceline.errors import OutputError
from stanceline.label_files import write_examples
from stanceline.training import train

RECIPE = Recipe(epochs=4.0, batch_sentences=8, evaluations_per_epoch=2)
TOML = "epochs = 4.0\nbatch_sentences = 8\nevaluations_per_epoch = 2\n"


def outcome(folder: Path) -> tuple[dict[str, str], list[float]]:
    """The weights of a checkpoint, and the scores of every evaluation of its run."""
    manifest = read_manifest(folder)
    log = (folder.with_name(folder.name + ".run") / "log.jsonl").read_text(encoding="utf-8")
    weights = {name: digest for name, digest in manifest.files.items() if name.endswith(".safetensors")}
    return weights, [json.loads(line)["mean"] for line in log.splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, tiny_encoder, few_train, few_dev, seed_scheme) -> Path:
    output = tmp_path_factory.mktemp("reference") / "new"
    train(few_train, few_dev, seed_scheme, base=tiny_encoder, output=output, recipe=RECIPE, device="cpu")
    return output


@pytest.fixture
def command(tmp_path: Path, tiny_encoder: Path, few_train, few_dev, seed_scheme) -> list[str]:
    """The same training as a command line, with `new` in `tmp_path` as its output."""
    for name, part in (("train", few_train), ("dev", few_dev)):
        write_examples(tmp_path / f"{name}.jsonl", [replace(e, split="") for e in part], seed_scheme.fields)
    (tmp_path / "recipe.toml").write_text(TOML)
    files = [str(tmp_path / "train.jsonl"), "--dev", str(tmp_path / "dev.jsonl")]
    settings = ["--base", str(tiny_encoder), "--recipe", str(tmp_path / "recipe.toml"), "--device", "cpu"]
    return [sys.executable, "-m", "stanceline", "train", *files, *settings, "-o", str(tmp_path / "new")]


def started(command: list[str], state: Path) -> subprocess.Popen[str]:
    """The command, running and with its first state on the disk."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not state.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def test_kill_9_and_resume_end_at_the_scores_of_the_uninterrupted_run(command, uninterrupted: Path, tmp_path: Path):
    process = started(command, tmp_path / "new.run" / "state.safetensors")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "new").exists()
    done = len((tmp_path / "new.run" / "log.jsonl").read_text().splitlines())
    assert 0 < done < 8
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert outcome(tmp_path / "new") == outcome(uninterrupted)


def test_ctrl_c_saves_the_state_says_how_to_go_on_and_exits_130(command, uninterrupted: Path, tmp_path: Path):
    process = started(command, tmp_path / "new.run" / "state.safetensors")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert "To go on: stanceline train " in stderr
    assert stderr.rstrip().endswith("stanceline: interrupted")
    assert "Traceback" not in stderr
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert outcome(tmp_path / "new") == outcome(uninterrupted)


@pytest.mark.parametrize("step", [1, 5, 13])
def test_an_interruption_after_any_step_changes_nothing(
    step, uninterrupted, tiny_encoder, few_train, few_dev, seed_scheme, tmp_path
):
    steps = iter(range(1, 1000))

    def interrupt(progress: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGINT)

    arguments = {"base": tiny_encoder, "output": tmp_path / "new", "recipe": RECIPE, "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        train(few_train, few_dev, seed_scheme, **arguments, report=interrupt)
    assert next(steps) == step + 2  # the step after the signal was the last one
    train(few_train, few_dev, seed_scheme, **arguments, resume=True)
    assert outcome(tmp_path / "new") == outcome(uninterrupted)


def test_a_run_that_was_killed_before_its_first_state_is_resumed_from_the_beginning(
    uninterrupted, tiny_encoder, few_train, few_dev, seed_scheme, tmp_path, monkeypatch
):
    arguments = {"base": tiny_encoder, "output": tmp_path / "new", "recipe": RECIPE, "device": "cpu"}
    with monkeypatch.context() as patch:
        patch.setattr("stanceline.training.FineTuning.fit", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(few_train, few_dev, seed_scheme, **arguments)
    train(few_train, few_dev, seed_scheme, **arguments, resume=True)
    assert outcome(tmp_path / "new") == outcome(uninterrupted)


def test_an_interrupted_run_is_neither_forgotten_nor_mixed_with_another(
    tiny_encoder, few_train, few_dev, seed_scheme, tmp_path
):
    arguments = {"base": tiny_encoder, "output": tmp_path / "new", "device": "cpu"}
    signals = iter([signal.SIGINT])  # one; a second would stop it before the state is saved

    def interrupt(progress: object) -> None:
        for number in signals:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        train(few_train, few_dev, seed_scheme, **arguments, recipe=RECIPE, report=interrupt)
    with pytest.raises(OutputError, match="go on with --resume"):
        train(few_train, few_dev, seed_scheme, **arguments, recipe=RECIPE)
    with pytest.raises(OutputError, match="was started with another recipe"):
        train(few_train, few_dev, seed_scheme, **arguments, recipe=replace(RECIPE, seed=9), resume=True)
    with pytest.raises(OutputError, match="was started with another labels"):
        train(few_train[:-1], few_dev, seed_scheme, **arguments, recipe=RECIPE, resume=True)


@pytest.mark.slow
def test_two_processes_train_what_one_trains(command, tiny_encoder, few_train, few_dev, seed_scheme, tmp_path):
    # Without dropout the gradients of a step are the same sums, however they are shared out.
    (tmp_path / "recipe.toml").write_text(TOML + "[model]\ndropout = 0.0\n")
    config = json.loads((tiny_encoder / "config.json").read_text())
    still = tmp_path / "still"
    still.mkdir()
    for path in tiny_encoder.iterdir():
        (still / path.name).write_bytes(path.read_bytes())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (still / "config.json").write_text(json.dumps(config))
    command[command.index("--base") + 1] = str(still)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    subprocess.run([*launcher, *command[1:]], check=True, capture_output=True)
    recipe = replace(RECIPE, model=ModelConfig(dropout=0.0))
    train(few_train, few_dev, seed_scheme, base=still, output=tmp_path / "alone", recipe=recipe, device="cpu")
    together, alone = outcome(tmp_path / "new")[1], outcome(tmp_path / "alone")[1]
    assert together == pytest.approx(alone, abs=1e-3)
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / f"{name}.run" / "log.jsonl").read_text().splitlines()]
        for name in ("new", "alone")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
