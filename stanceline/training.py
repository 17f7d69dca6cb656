"""Training from labels to a finished checkpoint: prepare, fine-tune, calibrate on dev, export, describe."""

import datetime
import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from stanceline import checkpoint
from stanceline._version import __version__
from stanceline.bases import Base, load_base
from stanceline.calibration import fit_temperature
from stanceline.card import write_card
from stanceline.config import Recipe, to_dict
from stanceline.errors import LabelError, OutputError, UsageError
from stanceline.export import export_int8
from stanceline.fine_tuning import FineTuning, Progress, score_articles
from stanceline.label_files import group_articles
from stanceline.labels import LabelScheme
from stanceline.metrics import confusion_matrix, f1_macro
from stanceline.records import Example
from stanceline.runtime import load_model
from stanceline.training_data import IGNORED, TrainingArticle, prepare

_VERSIONED = ("torch", "transformers", "tokenizers", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished checkpoint and its scores on dev: f1_macro a field, of the stored weights."""

    folder: Path
    manifest: checkpoint.Manifest
    scores: Mapping[str, float]


def train(
    train_examples: Sequence[Example],
    dev_examples: Sequence[Example],
    scheme: LabelScheme,
    *,
    base: str | Path,
    output: Path,
    recipe: Recipe,
    device: str = "auto",
    resume: bool = False,
    notes: str = "",
    report: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Fine-tunes `base` on labels and writes a checkpoint.

    The run keeps its states and its log in `OUTPUT.run`; what is left there after success is the log.

    Args:
        train_examples: What to learn from.
        dev_examples: What to choose the best step by, and to calibrate on; no article of them may be trained on.
        scheme: The fields; a base checkpoint's own fields stay.
        base: A checkpoint, or an encoder's folder or hub name.
        output: The new folder.
        recipe: Every setting.
        device: `auto`, `cpu`, or a torch device.
        resume: Go on with the interrupted run of the same output, recipe and labels.
        notes: Prose for the model card (Markdown).
        report: Called after every optimizer step.

    Raises:
        LabelError: The labels cannot be trained on.
        OutputError: The output exists, or the run in its place is another one.
        CheckpointError, ConfigError: The base cannot be used.
    """
    check_trainable(train_examples, dev_examples, scheme)
    partial = checkpoint.staging_folder(output)
    run = output.with_name(output.name + ".run")
    fingerprint = _fingerprint(train_examples, dev_examples, recipe, base)
    _claim(run, fingerprint, resume)
    torch.manual_seed(recipe.seed)  # for the heads that are new
    torch_device = training_device(device)
    parts = load_base(base, scheme, recipe.model)
    train_articles = prepare(group_articles(train_examples), parts.encoder, parts.scheme)
    dev_articles = prepare(group_articles(dev_examples), parts.encoder, parts.scheme)
    loop = FineTuning(parts.model, parts.encoder, parts.scheme, recipe, device=torch_device, folder=run)
    loop.fit(train_articles, dev_articles, resume=resume, report=report)
    trained = _write(parts, dev_articles, partial, output, recipe, notes, len(train_examples))
    for name in ("state.safetensors", "best.safetensors"):
        (run / name).unlink(missing_ok=True)
    return trained


def check_trainable(train_examples: Sequence[Example], dev_examples: Sequence[Example], scheme: LabelScheme) -> None:
    """Refuses labels that nothing can be learned from, before any work is done.

    Raises:
        LabelError: There are no labels, only one class of a field, or an article in both parts.
    """
    for name, examples in (("train", train_examples), ("dev", dev_examples)):
        if not examples:
            raise LabelError(f"there is no labelled sentence in the {name} part; add labels, or name others with --dev")
    both = {e.article_id for e in train_examples} & {e.article_id for e in dev_examples}
    if both:
        raise LabelError(
            f"{len(both)} articles are in both train and dev, such as {min(both)!r}; leave them out of one"
        )
    for field in scheme.fields:
        seen = {label for example in train_examples if (label := example.labels.get(field.name)) is not None}
        if len(seen) == 1:
            raise LabelError(f"{field.name}: all train labels are {seen.pop()!r}; at least two classes are needed")


def training_device(device: str) -> torch.device:
    """The torch device to train on.

    Raises:
        UsageError: There is no such device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {device}: not to be had here: {str(error).splitlines()[0]}") from error
    return torch.device(device)


def _fingerprint(train: Sequence[Example], dev: Sequence[Example], recipe: Recipe, base: str | Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    for example in (*train, *dev):
        digest.update(repr((example.key, example.text, sorted(example.labels.items()), example.weight)).encode())
    return {"recipe": to_dict(recipe), "labels": digest.hexdigest(), "base": str(base), "stanceline": __version__}


def _claim(run: Path, fingerprint: Mapping[str, Any], resume: bool) -> None:
    """Makes the run folder, or makes sure that the one that is there is of the same run."""
    path = run / "run.json"
    if resume:
        if not path.exists():
            raise OutputError(f"{run}: no interrupted run to resume; start without --resume")
        recorded = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key in fingerprint if recorded.get(key) != fingerprint[key]]
        if changed:
            raise OutputError(f"{run}: was started with another {' and '.join(changed)}; resume with the same")
        return
    if (run / "state.safetensors").exists():
        raise OutputError(f"{run}: an interrupted run is there; go on with --resume, or remove that folder")
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fingerprint, indent=1), encoding="utf-8")


def _write(
    parts: Base,
    dev: Sequence[TrainingArticle],
    partial: Path,
    output: Path,
    recipe: Recipe,
    notes: str,
    train_count: int,
) -> Trained:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _save_weights(parts, partial)
    (partial / checkpoint.RECIPE).write_text(json.dumps(to_dict(recipe), indent=1) + "\n", encoding="utf-8")
    manifest = checkpoint.Manifest(
        name=output.name,
        scheme=parts.scheme,
        model=parts.config,
        special=parts.encoder.special,
        calibration=checkpoint.Calibration({}, {}),
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        base=parts.description,
        versions={
            "stanceline": __version__,
            "python": platform.python_version(),
            **{n: version(n) for n in _VERSIONED},
        },
        files={},
    )
    manifest = checkpoint.write_manifest(partial, manifest)
    # From here on with the weights as they are stored, so that every figure is true of what ships.
    stored = load_model(partial, manifest)
    export_int8(stored, parts.scheme, partial / checkpoint.ONNX_INT8)
    calibration, scores = calibrate(parts, stored, dev)
    manifest = checkpoint.write_manifest(partial, replace(manifest, calibration=calibration))
    write_card(
        partial, manifest, scores, notes=notes, train_count=train_count, dev_count=sum(len(a.examples) for a in dev)
    )
    checkpoint.commit_folder(partial, output)
    return Trained(output, manifest, scores)


def _save_weights(parts: Base, folder: Path) -> None:
    model = parts.model.cpu()
    heads = {n: t.half().contiguous() for n, t in model.state_dict().items() if not n.startswith("encoder.")}
    save_file(heads, folder / checkpoint.HEADS_WEIGHTS)
    encoder: Any = model.encoder
    encoder.half().save_pretrained(folder)
    encoder.float()
    parts.tokenizer.save_pretrained(folder)


def calibrate(
    parts: Base, model: Any, dev: Sequence[TrainingArticle]
) -> tuple[checkpoint.Calibration, dict[str, float]]:
    """Temperatures, confusion counts and f1_macro a field on dev; a field without dev labels gets 1.0 and no counts."""
    logits = score_articles(model, parts.encoder, dev, torch.device("cpu"))
    gold = np.concatenate([article.gold for article in dev])
    temperatures, confusion, scores = {}, {}, {}
    for column, field in enumerate(parts.scheme.fields):
        labelled = gold[:, column] != IGNORED
        temperatures[field.name] = fit_temperature(logits[column][labelled], gold[labelled, column])
        if not labelled.any():
            continue
        names = [field.labels[index] for index in gold[labelled, column]]
        predicted = [field.labels[index] for index in logits[column][labelled].argmax(-1)]
        confusion[field.name] = np.asarray(confusion_matrix(names, predicted, field.labels)).tolist()
        scores[field.name] = f1_macro(names, predicted, field.labels)
    return checkpoint.Calibration(temperatures, confusion), scores
