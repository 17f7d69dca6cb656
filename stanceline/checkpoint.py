"""A checkpoint: a folder that describes itself, of safetensors, ONNX and JSON. No pickle, ever.

stanceline.json       format, name, fields, targets, model shape, special tokens, calibration, hashes
config.json           the encoder, as transformers reads it
model.safetensors     the encoder's weights (fp16): AutoModel.from_pretrained(folder) works
heads.safetensors     the heads' weights (fp16)
tokenizer.json, tokenizer_config.json
model.int8.onnx       the whole network for ONNX Runtime on CPU
recipe.json           how it was trained
README.md             the model card
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from stanceline.config import ModelConfig, from_mapping, to_dict
from stanceline.encoding import SpecialTokens
from stanceline.errors import CheckpointError, ConfigError, OutputError
from stanceline.labels import LabelScheme

FORMAT = 1
MANIFEST = "stanceline.json"
ENCODER_CONFIG = "config.json"
ENCODER_WEIGHTS = "model.safetensors"
HEADS_WEIGHTS = "heads.safetensors"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
ONNX = "model.int8.onnx"
RECIPE = "recipe.json"
CARD = "README.md"

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
_HASHED = (ENCODER_CONFIG, ENCODER_WEIGHTS, HEADS_WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, ONNX, RECIPE)
_REQUIRED = (ENCODER_CONFIG, ENCODER_WEIGHTS, HEADS_WEIGHTS, TOKENIZER)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted on the dev labels, a value a field."""

    temperatures: Mapping[str, float]  # logits are divided by it before the softmax
    confusion: Mapping[str, list[list[int]]]  # counts on dev, gold in rows, predicted in columns


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `stanceline.json`."""

    name: str
    scheme: LabelScheme
    model: ModelConfig
    special: SpecialTokens
    calibration: Calibration
    created: str  # ISO date
    base: str  # what the training started from
    versions: Mapping[str, str]
    files: Mapping[str, str]  # name -> sha256

    @property
    def hash(self) -> str:
        """Twelve hex digits over everything that decides a prediction; the card is not part of it."""
        model = to_dict(self.model)
        if not self.model.is_marked:
            del model["target_input"]  # it came later: an older checkpoint keeps its hash
        decisive = {
            "files": {name: self.files[name] for name in sorted(self.files) if name != RECIPE},
            "scheme": self.scheme.to_dict(),
            "model": model,
            "special_tokens": to_dict(self.special),
            "temperatures": dict(self.calibration.temperatures),
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        """`name@hash`, as it stands in every prediction."""
        return f"{self.name}@{self.hash}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes `stanceline.json` with the hashes of what lies in `folder`, and returns it with them."""
    files = {name: sha256_of(folder / name) for name in _HASHED if (folder / name).exists()}
    manifest = replace(manifest, files=files)
    data = {
        "format": FORMAT,
        "name": manifest.name,
        **manifest.scheme.to_dict(),
        "model": to_dict(manifest.model),
        "special_tokens": to_dict(manifest.special),
        "temperatures": dict(manifest.calibration.temperatures),
        "dev_confusion": dict(manifest.calibration.confusion),
        "created": manifest.created,
        "base": manifest.base,
        "versions": dict(manifest.versions),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint, after everything that can be wrong with the folder was looked for.

    The weights themselves are verified by `verify` when they are read.

    Raises:
        CheckpointError: The folder is not there or not a checkpoint, has a pickle in it, lacks a file, or is of another
            format or label order.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such checkpoint folder; name one with --model")
    path = folder / MANIFEST
    if not path.exists():  # asked first: a folder that is none may be a whole disk
        raise CheckpointError(f"{folder}: not a Stanceline checkpoint, {MANIFEST} is missing")
    _refuse_pickles(folder)
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise CheckpointError(f"{path}: format {data['format']}, this version reads format {FORMAT}")
        manifest = Manifest(
            name=data["name"],
            scheme=LabelScheme.from_dict(data),
            model=from_mapping(ModelConfig, data["model"], str(path)),
            special=SpecialTokens(**data["special_tokens"]),
            calibration=Calibration(_checked_temperatures(data), data["dev_confusion"]),
            created=data["created"],
            base=data["base"],
            versions=data["versions"],
            files=data["files"],
        )
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged ({error!r}); get the checkpoint again") from error
    for name in _REQUIRED:
        if name not in manifest.files or not (folder / name).exists():
            raise CheckpointError(f"{folder}: {name} is missing; get the checkpoint again")
    return manifest


def _refuse_pickles(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICKLES:
            raise CheckpointError(f"{path}: refused, a pickle can run code; checkpoints are safetensors, ONNX and JSON")


def _checked_temperatures(data: Mapping[str, Any]) -> dict[str, float]:
    """The temperature of each field; a ValueError where it is none to divide by."""
    temperatures = {name: data["temperatures"][name] for name in data["fields"]}
    for name, value in temperatures.items():
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"the temperature of {name} is {value!r}")
    return temperatures


def verify(folder: Path, manifest: Manifest, names: tuple[str, ...]) -> None:
    """Compares files with the hashes in the manifest.

    Raises:
        CheckpointError: A file is missing, cannot be read, is truncated or changed.
    """
    for name in names:
        path = folder / name
        try:
            digest = sha256_of(path)
        except FileNotFoundError as error:
            raise CheckpointError(f"{folder}: {name} is missing; get the checkpoint again") from error
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
        if digest != manifest.files.get(name):
            raise CheckpointError(f"{path}: damaged, not the SHA-256 of {MANIFEST}; get the checkpoint again")


def shipped_folder(name: str) -> Path:
    """A data folder that ships: beside the package where it was installed, or in the source tree.

    Args:
        name: `default` for the checkpoint, `seeds` for the seed labels.
    """
    installed = Path(__file__).parent / "shipped" / name
    if installed.is_dir():
        return installed
    root = Path(__file__).parent.parent
    return root / "seeds" if name == "seeds" else root / "models" / name


def data_folder() -> Path:
    """The user's data folder, where `promote` leaves its pointer; STANCELINE_HOME overrides it."""
    home = os.environ.get("STANCELINE_HOME")
    return Path(home) if home else Path(platformdirs.user_data_dir("stanceline"))


def pointer_file() -> Path:
    """The file that names the promoted checkpoint's folder; without it the shipped one is used."""
    return data_folder() / "default-checkpoint"


def promoted_folder() -> Path | None:
    """The checkpoint that this user promoted, if any.

    Raises:
        CheckpointError: The pointer leads nowhere.
    """
    pointer = pointer_file()
    if not pointer.exists():
        return None
    folder = Path(pointer.read_text(encoding="utf-8").strip())
    if not (folder / MANIFEST).exists():
        raise CheckpointError(
            f"{pointer}: the promoted checkpoint {folder} is gone; delete this file or promote another"
        )
    return folder


def find_checkpoint(model: str | Path | None = None) -> Path:
    """The folder of a checkpoint: the one named, else the user's promoted one, else the shipped one.

    Args:
        model: A folder, or the name of a repository on the Hugging Face hub (`owner/name`).

    Raises:
        CheckpointError: It cannot be found.
    """
    if model is None:
        return promoted_folder() or shipped_folder("default")
    folder = Path(model)
    if folder.exists() or str(model).count("/") != 1 or str(model).startswith((".", "/", "~")):
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(model), allow_patterns=["*.json", "*.safetensors", "*.onnx", "*.md"]))
    except HFValidationError as error:
        raise CheckpointError(f"{model}: no such folder, and no name on the hub; check the path") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{model}: no such folder, and not to be had from the hub: {reason}") from error


def find_base(base: str | Path | None = None) -> Path | None:
    """The folder of the checkpoint that a training starts from; None where `base` is a plain encoder.

    Of a hub repository only the manifest is asked for: that of an encoder holds the weights in many formats.

    Args:
        base: As the `model` of `find_checkpoint`, or the folder or hub name of an encoder.

    Raises:
        CheckpointError: It is a folder that is not there.
    """
    if base is None:
        return find_checkpoint()
    folder = Path(base)
    if (folder / MANIFEST).exists():
        return folder
    if folder.exists():
        return None
    if str(base).count("/") != 1 or str(base).startswith((".", "/", "~")):
        if folder.name != str(base):
            raise CheckpointError(f"{base}: no such folder; name a checkpoint, or an encoder's folder or hub name")
        return None  # the hub's oldest encoders have names without an owner
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        hf_hub_download(str(base), MANIFEST)
    except HFValidationError as error:
        raise CheckpointError(f"{base}: no such folder, and no name on the hub; check the path") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError):
        return None  # whether it is an encoder, and if not why, is for transformers to say
    return find_checkpoint(base)


def staging_folder(output: Path) -> Path:
    """`NAME.partial`, where a checkpoint is put together before it gets its name.

    Raises:
        OutputError: The output exists; a checkpoint is never overwritten.
    """
    if output.exists():
        raise OutputError(f"{output}: exists already; checkpoints are never overwritten, choose another --output")
    return output.with_name(output.name + ".partial")


def commit_folder(partial: Path, output: Path) -> None:
    """Gives a finished folder its final name.

    Raises:
        OutputError: The output exists or the name cannot be given.
    """
    if output.exists():
        raise OutputError(f"{output}: exists already; the new checkpoint is left in {partial}")
    try:
        partial.rename(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be created: {error}; the new checkpoint is left in {partial}") from error


def copy_checkpoint(source: Path, output: Path) -> None:
    """Copies a verified checkpoint to a folder that does not exist yet.

    Raises:
        CheckpointError: It is none, or damaged.
        OutputError: The folder exists or cannot be written.
    """
    manifest = read_manifest(source)
    verify(source, manifest, tuple(manifest.files))
    partial = staging_folder(output)
    shutil.rmtree(partial, ignore_errors=True)  # of a copy that was broken off
    try:
        shutil.copytree(source, partial)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OutputError(f"{output}: cannot be written: {error}; choose another place") from error
    commit_folder(partial, output)
