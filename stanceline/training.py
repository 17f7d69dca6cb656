"""Training from labels to a finished checkpoint: prepare, fine-tune, calibrate on dev, export, describe."""

import datetime
import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save_file

from stanceline import checkpoint
from stanceline._version import __version__
from stanceline.bases import Base, load_base
from stanceline.calibration import fit_temperature
from stanceline.card import DevScores, write_card
from stanceline.config import Recipe, to_dict
from stanceline.distillation import with_teacher
from stanceline.encoding import Batch, Window
from stanceline.errors import OutputError
from stanceline.export import export_cpu
from stanceline.fine_tuning import FineTuning, Progress, evaluate, score_articles
from stanceline.label_files import group_articles
from stanceline.labels import LabelScheme
from stanceline.metrics import confusion_matrix
from stanceline.ranks import Ranks
from stanceline.records import Example
from stanceline.run_state import BEST, STATE, require_room
from stanceline.runtime import Engine, OnnxEngine, TorchEngine, find_device, load_model
from stanceline.target_marking import columns_of
from stanceline.training_checks import check_trainable
from stanceline.training_data import IGNORED, TrainingArticle, prepare, windows_of
from stanceline.training_labels import Replay

_VERSIONED = ("torch", "transformers", "tokenizers", "onnxruntime", "numpy")
_SAMPLE = 64  # windows that show how large the activations become
_LEAST_ROOM = 1_000_000  # bytes; with less the disk is as good as full


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
    replay: Replay | None = None,
    device: str = "auto",
    resume: bool = False,
    notes: str = "",
    report: Callable[[Progress], None] = lambda progress: None,
) -> Trained | None:
    """Fine-tunes `base` on labels and writes a checkpoint.

    The run keeps its states and its log in `OUTPUT.run`; what is left there after success is the log.
    With `loss.distillation` in the recipe, `base` as it was teaches what the labels say nothing of.

    Args:
        train_examples: What to learn from.
        dev_examples: What to choose the best step by, and to calibrate on; no article of them may be trained on.
        scheme: The fields; a base checkpoint's own fields stay.
        base: A checkpoint, or an encoder's folder or hub name.
        output: The new folder.
        recipe: Every setting.
        replay: Older labels, to be trained on again so that they are not forgotten.
        device: `auto`, `cpu`, or a torch device.
        resume: Go on with the interrupted run of the same output, recipe and labels.
        notes: Prose for the model card (Markdown).
        report: Called after every optimizer step.

    Returns:
        None in the processes that only help the main one of a training by several.

    Raises:
        LabelError: The labels cannot be trained on.
        OutputError: The output exists or cannot be written, or the run in its place is another one.
        CheckpointError, ConfigError: The base cannot be used.
        KeyboardInterrupt: It was interrupted, and can be resumed.
    """
    check_trainable(train_examples, dev_examples, scheme)
    replay = replay or Replay()
    partial = checkpoint.staging_folder(output)
    run = output.with_name(output.name + ".run")
    ranks = Ranks(training_device(device))
    torch.manual_seed(recipe.seed)  # for the heads that are new
    parts = load_base(base, scheme, recipe.model)
    require_room(run, sum(p.numel() for p in parts.model.parameters()))
    labels = (*train_examples, *dev_examples, *replay.train, *replay.dev)
    _claim(run, _fingerprint(labels, recipe, parts.description), resume, ranks)
    train_articles = prepare(group_articles([*train_examples, *replay.train]), parts.encoder, parts.scheme)
    if recipe.loss.distillation:
        replayed = {example.article_id for example in replay.train}
        train_articles = with_teacher(train_articles, parts, ranks.device, replayed=replayed)
    dev_articles = prepare(group_articles(dev_examples), parts.encoder, parts.scheme)
    loop = FineTuning(parts.model, parts.encoder, parts.scheme, recipe, device=ranks.device, folder=run, ranks=ranks)
    loop.fit(train_articles, dev_articles, resume=resume, report=report)
    if not ranks.is_main:
        return None
    calibration_articles = dev_articles + prepare(group_articles(replay.dev), parts.encoder, parts.scheme)
    counts = len(train_examples), len(dev_examples)
    with _written_whole(partial, output):
        trained = write_checkpoint(parts, dev_articles, calibration_articles, partial, output, recipe, notes, counts)
    for name in (STATE, BEST):
        (run / name).unlink(missing_ok=True)
    return trained


def training_device(device: str) -> torch.device:
    """The torch device to train on.

    Raises:
        UsageError: There is no such device, or it cannot compute.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return find_device(device)


def _fingerprint(labels: Iterable[Example], recipe: Recipe, base: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    for example in labels:
        told = (example.key, example.text, sorted(example.labels.items()), example.weight, columns_of(example.extra))
        digest.update(repr(told).encode())
    return {"recipe": to_dict(recipe), "labels": digest.hexdigest(), "base": base, "stanceline": __version__}


def _claim(run: Path, fingerprint: Mapping[str, Any], resume: bool, ranks: Ranks) -> None:
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
    if (run / STATE).exists():
        raise OutputError(f"{run}: an interrupted run is there; go on with --resume, or remove that folder")
    if ranks.is_main:
        try:
            run.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(fingerprint, indent=1), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{run}: cannot be written: {error.strerror}; choose another --output") from error


@contextmanager
def _written_whole(partial: Path, output: Path) -> Iterator[None]:
    """A failure to write becomes one line, and leaves nothing half done behind.

    A full disk is an OSError here, a RuntimeError there: every library that writes has its own.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        full = shutil.disk_usage(output.parent).free < _LEAST_ROOM
        if not full and not isinstance(error, OSError):
            raise
        reason = "the disk is full" if full else str(error)
        raise OutputError(f"{output}: cannot be written: {reason}; mend that, then go on with --resume") from error


def write_checkpoint(
    parts: Base,
    dev: Sequence[TrainingArticle],
    calibration_articles: Sequence[TrainingArticle],
    partial: Path,
    output: Path,
    recipe: Recipe,
    notes: str,
    counts: tuple[int, int],
) -> Trained:
    """Calibrates a finished network, exports the copy for the CPU, and writes all of it with its card.

    Args:
        parts: The network.
        dev: What its scores are of.
        calibration_articles: What the temperatures are fitted on.
        partial: The folder to write into, until it is whole.
        output: The new folder.
        recipe: How it was trained.
        notes: Prose for the card.
        counts: Labelled sentences that it was trained on, and of dev.
    """
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _save_weights(parts, partial)
    (partial / checkpoint.RECIPE).write_text(
        json.dumps(to_dict(replace(recipe, model=parts.config)), indent=1) + "\n", encoding="utf-8"
    )
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
    export_cpu(stored, parts.scheme, _sample_windows(parts, calibration_articles), partial / checkpoint.ONNX)
    reference = TorchEngine(stored, parts.encoder, torch.device("cpu"))
    copy = OnnxEngine(partial / checkpoint.ONNX, parts.encoder)
    calibration = calibrate(parts, reference, calibration_articles)
    scores, of_copy = (evaluate(engine, parts.encoder, parts.scheme, dev) for engine in (reference, copy))
    alike = _agreement(*(score_articles(engine, parts.encoder, dev) for engine in (reference, copy)))
    on_dev = {
        field.name: DevScores(scores[field.name], of_copy[field.name], share)
        for field, share in zip(parts.scheme.fields, alike, strict=True)
        if field.name in scores
    }
    del scores["mean"]
    manifest = checkpoint.write_manifest(partial, replace(manifest, calibration=calibration))
    write_card(partial, manifest, on_dev, notes=notes, train_count=counts[0], dev_count=counts[1])
    checkpoint.commit_folder(partial, output)
    return Trained(output, manifest, scores)


def _agreement(*scores: Sequence[NDArray[np.float64]]) -> list[float]:
    """Share of the sentences that two engines label alike, a field each."""
    return [float((a.argmax(-1) == b.argmax(-1)).mean()) for a, b in zip(*scores, strict=True)]


def _sample_windows(parts: Base, articles: Sequence[TrainingArticle]) -> list[Batch]:
    """Some windows of some articles, one a batch."""
    windows: list[Window] = []
    for article in articles:
        if len(windows) >= _SAMPLE:
            break
        windows += windows_of(article, parts.encoder)
    return [parts.encoder.collate([window]) for window in windows[:_SAMPLE]]


def _save_weights(parts: Base, folder: Path) -> None:
    model = parts.model.cpu()
    heads = {n: t.half().contiguous() for n, t in model.state_dict().items() if not n.startswith("encoder.")}
    save_file(heads, folder / checkpoint.HEADS_WEIGHTS)
    encoder: Any = model.encoder
    encoder.half().save_pretrained(folder)
    encoder.float()
    parts.tokenizer.save_pretrained(folder)


def calibrate(parts: Base, engine: Engine, articles: Sequence[TrainingArticle]) -> checkpoint.Calibration:
    """Temperatures and confusion counts on labels that were not trained on.

    A field that has none there keeps those of the base; where the base has none either, the temperature is 1.0.
    """
    logits = score_articles(engine, parts.encoder, articles)
    gold = np.concatenate([article.gold for article in articles])
    temperatures, confusion = {}, {}
    for column, field in enumerate(parts.scheme.fields):
        labelled = gold[:, column] != IGNORED
        if not labelled.any():
            temperatures[field.name] = parts.calibration.temperatures.get(field.name, 1.0)
            if field.name in parts.calibration.confusion:
                confusion[field.name] = parts.calibration.confusion[field.name]
            continue
        temperatures[field.name] = fit_temperature(logits[column][labelled], gold[labelled, column])
        names = [field.labels[index] for index in gold[labelled, column]]
        predicted = [field.labels[index] for index in logits[column][labelled].argmax(-1)]
        confusion[field.name] = np.asarray(confusion_matrix(names, predicted, field.labels)).tolist()
    return checkpoint.Calibration(temperatures, confusion)
