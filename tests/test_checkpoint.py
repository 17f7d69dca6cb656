"""A checkpoint describes itself, and one that cannot be trusted is refused by name."""

import json
import shutil
from pathlib import Path

import pytest

from stanceline import checkpoint
from stanceline.checkpoint import (
    copy_checkpoint,
    find_base,
    find_checkpoint,
    read_manifest,
    staging_folder,
    write_manifest,
)
from stanceline.classifier import StanceClassifier
from stanceline.errors import CheckpointError, OutputError
from stanceline.labels import LabelScheme


@pytest.fixture
def copied(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copied"
    shutil.copytree(tiny_checkpoint, folder)
    return folder


def rewrite(folder: Path, **changes) -> None:
    path = folder / checkpoint.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal(folder: Path, device: str = "cpu") -> str:
    with pytest.raises(CheckpointError) as caught:
        StanceClassifier.from_pretrained(folder, device=device)
    message = str(caught.value)
    assert "\n" not in message
    assert folder.name in message
    return message


def test_the_manifest_survives_writing_and_reading(copied: Path):
    manifest = read_manifest(copied)
    assert write_manifest(copied, manifest) == manifest == read_manifest(copied)


def test_a_checkpoint_holds_safetensors_onnx_json_and_its_card_only(tiny_checkpoint: Path):
    assert {path.suffix for path in tiny_checkpoint.iterdir()} == {".safetensors", ".onnx", ".json", ".md"}


def test_the_encoder_loads_with_plain_transformers(tiny_checkpoint: Path):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(tiny_checkpoint), AutoTokenizer.from_pretrained(tiny_checkpoint)
    states = model(**tokenizer("A charter of security.", return_tensors="pt")).last_hidden_state
    assert states.shape[-1] == model.config.hidden_size


def test_a_missing_folder_is_refused(tmp_path: Path):
    assert "no such checkpoint folder" in refusal(tmp_path / "nowhere")


def test_a_folder_without_manifest_is_refused(tmp_path: Path):
    assert "stanceline.json is missing" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "OLD.PT", "onnx/model.Pkl", "a/b/c.joblib", ".hidden/x.ckpt"])
def test_a_pickle_is_refused_before_anything_is_read(copied: Path, name: str):
    path = copied / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    assert f"{path}: refused, a pickle" in refusal(copied)


@pytest.mark.parametrize("name", [checkpoint.MANIFEST, checkpoint.ONNX])
def test_a_file_that_cannot_be_read_is_refused_by_name(copied: Path, name: str):
    (copied / name).unlink()
    (copied / name).mkdir()
    assert f"{name}: cannot be read" in refusal(copied)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        (checkpoint.ONNX, "cpu"),
        (checkpoint.TOKENIZER, "cpu"),
        (checkpoint.ENCODER_WEIGHTS, "torch"),
        (checkpoint.HEADS_WEIGHTS, "torch"),
    ],
)
def test_a_truncated_file_is_refused_by_name(copied: Path, name: str, device: str):
    path = copied / name
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{name}: damaged" in refusal(copied, device)


def test_a_missing_file_is_refused_by_name(copied: Path):
    (copied / checkpoint.HEADS_WEIGHTS).unlink()
    assert f"{checkpoint.HEADS_WEIGHTS} is missing" in refusal(copied)


def test_another_label_order_is_refused(copied: Path):
    fields = json.loads((copied / checkpoint.MANIFEST).read_text())["fields"]
    rewrite(copied, fields={**fields, "sentiment": ["negative", "positive", "neutral"]})
    assert "in that order" in refusal(copied)


def test_another_format_is_refused(copied: Path):
    rewrite(copied, format=99)
    assert "format 99" in refusal(copied)


def test_a_manifest_that_is_not_json_is_refused(copied: Path):
    (copied / checkpoint.MANIFEST).write_text("{")
    assert "damaged" in refusal(copied)


@pytest.mark.parametrize("temperatures", [{}, 3, "text", [], -1.0, 0, "1", float("nan")])
def test_temperatures_that_are_missing_or_no_divisors_are_refused(copied: Path, temperatures):
    fields = json.loads((copied / checkpoint.MANIFEST).read_text())["fields"]
    is_one = isinstance(temperatures, int | float | str) and temperatures not in (3, "text")
    rewrite(copied, temperatures=dict.fromkeys(fields, temperatures) if is_one else temperatures)
    assert "damaged" in refusal(copied)


def test_weights_that_lack_a_tensor_are_refused_on_one_line(copied: Path):
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / checkpoint.HEADS_WEIGHTS)
    name = min(weights)
    del weights[name]
    save_file(weights, copied / checkpoint.HEADS_WEIGHTS)
    write_manifest(copied, read_manifest(copied))
    assert name in refusal(copied, "torch")


def test_the_hash_changes_with_what_decides_a_prediction(copied: Path):
    before = read_manifest(copied).hash
    temperatures = dict(read_manifest(copied).calibration.temperatures)
    rewrite(copied, temperatures={name: value + 0.1 for name, value in temperatures.items()})
    assert read_manifest(copied).hash != before


def test_the_hash_does_not_change_with_the_card(copied: Path):
    before = read_manifest(copied).hash
    (copied / checkpoint.CARD).write_text("another card")
    assert write_manifest(copied, read_manifest(copied)).hash == before


def test_a_named_checkpoint_wins_over_the_promoted_one_and_that_over_the_shipped(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STANCELINE_HOME", str(tmp_path))
    assert find_checkpoint() == checkpoint.shipped_folder("default")
    (tmp_path / "default-checkpoint").write_text(str(tiny_checkpoint))
    assert find_checkpoint() == tiny_checkpoint
    assert find_checkpoint(tmp_path) == tmp_path


def test_a_promoted_checkpoint_that_is_gone_is_no_silent_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STANCELINE_HOME", str(tmp_path))
    (tmp_path / "default-checkpoint").write_text(str(tmp_path / "gone"))
    with pytest.raises(CheckpointError, match="is gone"):
        find_checkpoint()


def test_an_existing_output_is_never_overwritten(copied: Path):
    with pytest.raises(OutputError, match="exists already"):
        staging_folder(copied)


def test_a_copy_holds_nothing_that_an_earlier_one_left_behind(tiny_checkpoint: Path, tmp_path: Path):
    partial = staging_folder(tmp_path / "copy")
    partial.mkdir()
    (partial / "left.json").write_text("{}")
    copy_checkpoint(tiny_checkpoint, tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {path.name for path in tiny_checkpoint.iterdir()}


def test_a_copy_that_cannot_be_written_is_an_output_error(tiny_checkpoint: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        copy_checkpoint(tiny_checkpoint, tmp_path / "file" / "copy")


@pytest.mark.parametrize("find", [find_checkpoint, find_base])
@pytest.mark.parametrize("name", ["nowhere/", "my models/new one"])
def test_what_is_neither_a_folder_nor_a_hub_name_is_refused_on_one_line(find, name: str):
    with pytest.raises(CheckpointError, match="no such folder") as caught:
        find(name)
    assert "\n" not in str(caught.value)


def test_the_scheme_keeps_its_order(tiny_checkpoint: Path, seed_scheme: LabelScheme):
    assert read_manifest(tiny_checkpoint).scheme == seed_scheme
