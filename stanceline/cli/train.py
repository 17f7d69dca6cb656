"""`stanceline train`: labels in, a checkpoint out."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stanceline.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from stanceline.checkpoint import Manifest
    from stanceline.config import Recipe
    from stanceline.fine_tuning import Progress
    from stanceline.labels import LabelScheme, Target
    from stanceline.learning_curve import Point
    from stanceline.training import Trained
    from stanceline.training_labels import LabelParts

_FILE = click.Path(path_type=Path)
_NO_ZERO_SHOT = (
    "--zero-shot: the model does not read descriptions. It has a head for each target, which is trained from labels; "
    "a description alone would give random scores. Label some hundred sentences for the new target instead, declare "
    "it with --targets, and train (docs/retraining.md)"
)


def _refuse_zero_shot(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        raise UsageError(_NO_ZERO_SHOT)


@click.command("train")
@click.argument("labels", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=_FILE, help="The new checkpoint's folder.")
@click.option("--base", help="Checkpoint, or encoder's folder or hub name, to start from.  [default: that of classify]")
@click.option("--dev", multiple=True, help="Labels to choose the best step and to calibrate by.")
@click.option("--test", multiple=True, help="Labels to compare the old and the new checkpoint on.")
@click.option("--recipe", type=_FILE, help="Settings in TOML; the flags below override it.")
@click.option("--targets", type=_FILE, help="TOML file of further targets: [name], description, aliases.")
@click.option("--epochs", type=float)
@click.option("--learning-rate", type=float)
@click.option("--seed", type=int)
@click.option("--patience", type=int, help="Evaluations without gain before it stops; 0 is never.")
@click.option("--replay", type=float, help="Sentences of the shipped seeds, for each new one; 0 is none.")
@click.option("--distillation", type=float, help="Weight of what the starting checkpoint says; 0 is none.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ...")
@click.option("--notes", type=click.Path(path_type=Path, exists=True), help="Markdown for the model card.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run of the same output.")
@click.option("--learning-curve", is_flag=True, help="Score against number of labels, as a plot, instead.")
@click.option("--tensorboard", is_flag=True, help="Event files for TensorBoard in OUTPUT.run/tensorboard.")
@click.option(
    "--zero-shot", is_flag=True, is_eager=True, expose_value=False, callback=_refuse_zero_shot, help="Not supported."
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train_command(
    labels: tuple[str, ...],
    output: Path,
    base: str | None,
    dev: tuple[str, ...],
    test: tuple[str, ...],
    recipe: Path | None,
    targets: Path | None,
    device: str,
    notes: Path | None,
    resume: bool,
    learning_curve: bool,
    tensorboard: bool,
    quiet: bool,
    **flags: float | int | None,
) -> None:
    """Fine-tune a checkpoint on labelled sentences.

    LABELS are JSONL, CSV or Parquet rows, one sentence each: article_id, sentence_index, text, a column for each
    target, sentiment; or names of Hugging Face datasets of such rows. Without --dev, a tenth of the articles is kept
    for choosing the best step.

    From a checkpoint, which is the default, shipped seeds are trained on again and the old answers are distilled, so
    that the old is not forgotten; afterwards old and new are compared, on --test (or the rows whose `split` is test,
    or else dev) and on the seeds' test split. From a plain encoder there is nothing to forget.

    With `torchrun --nproc-per-node N -m stanceline train ...` N processes share the work.
    """
    job = _prepare(labels, base, dev, test, recipe, targets, flags)
    # torch only now: everything that can be wrong with the labels has been said.
    quiet = quiet or os.environ.get("RANK", "0") != "0"
    with _resumable(output):
        if learning_curve:
            _learning_curve(job, output, device, resume)
            return
        text = notes.read_text(encoding="utf-8") if notes else ""
        with _Reports(quiet, output if tensorboard else None) as reports:
            _train(job, output, device, resume, text, reports.report)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be trained, checked as far as it can be without torch."""

    parts: "LabelParts"
    scheme: "LabelScheme"
    settings: "Recipe"
    base: str | Path
    old: Path | None  # the base, where it is a checkpoint
    old_manifest: "Manifest | None"


def _prepare(
    labels: tuple[str, ...],
    base: str | None,
    dev: tuple[str, ...],
    test: tuple[str, ...],
    recipe: Path | None,
    targets: Path | None,
    flags: "dict[str, Any]",
) -> _Job:
    from stanceline import checkpoint
    from stanceline.config import RETRAINING_DEFAULTS, read_recipe
    from stanceline.labels import LabelScheme, read_targets
    from stanceline.training_checks import check_trainable
    from stanceline.training_labels import read_parts

    old = checkpoint.find_base(base)
    manifest = checkpoint.read_manifest(old) if old else None
    overrides = {_RECIPE_KEYS.get(name, name): value for name, value in flags.items()}
    defaults: dict[str, Any] = dict(RETRAINING_DEFAULTS) if manifest else {}
    if manifest and manifest.model.is_marked:
        defaults |= {"replay": 0.0, "model.target_input": "marked"}
    settings = read_recipe(recipe, overrides, defaults=defaults)
    if manifest is None and (settings.replay or settings.loss.distillation):
        raise ConfigError("replay and distillation need a checkpoint to start from; a plain encoder has no labels yet")
    if manifest and manifest.model.is_marked and settings.replay:
        raise ConfigError(f"{manifest.reference} reads marked targets, which the seeds don't have; leave replay at 0")
    known: tuple[Target, ...] = read_targets(checkpoint.shipped_folder("seeds") / "targets.toml")
    if manifest:
        known = manifest.scheme.targets
    added = read_targets(targets) if targets else ()
    names = {target.name for target in known}
    known = LabelScheme(known).with_targets(added).targets
    parts = read_parts(
        labels,
        [t.name for t in known],
        dev=dev,
        test=test,
        dev_fraction=settings.dev_fraction,
        marked=settings.model.is_marked,
    )
    # A target that is new must be labelled: it has nothing else to be learned from.
    used = {name for example in parts.train for name in example.labels} | {t.name for t in added if t.name not in names}
    scheme = LabelScheme(tuple(t for t in known if t.name in used), sentiment="sentiment" in used)
    check_trainable(parts.train, parts.dev, scheme)
    return _Job(parts, scheme, settings, old or str(base), old, manifest)


_RECIPE_KEYS = {"learning_rate": "optimizer.learning_rate", "distillation": "loss.distillation"}


def _train(
    job: _Job, output: Path, device: str, resume: bool, notes: str, report: "Callable[[Progress], None]"
) -> None:
    from stanceline.retraining import retrain
    from stanceline.training import train

    _quieten_libraries()
    given: dict[str, Any] = {"device": device, "resume": resume, "notes": notes, "report": report}
    if job.old is None or job.old_manifest is None:
        trained = train(
            job.parts.train, job.parts.dev, job.scheme, base=job.base, output=output, recipe=job.settings, **given
        )
        if trained:
            _print(trained)
        return
    retrained = retrain(
        job.parts,
        job.scheme,
        old=job.old,
        old_scheme=job.old_manifest.scheme,
        output=output,
        recipe=job.settings,
        **given,
    )
    if retrained:
        _print(retrained.trained)
        click.echo("\n".join(retrained.gate.lines()))
        click.echo(f"To use it: stanceline classify --model {output}, or, as the default: stanceline promote {output}")


def _print(trained: "Trained") -> None:
    click.echo(f"{trained.folder}: {trained.manifest.reference}")
    for name, score in trained.scores.items():
        click.echo(f"  {name}: dev f1_macro {score:.3f}")


def _learning_curve(job: _Job, output: Path, device: str, resume: bool) -> None:
    from stanceline.learning_curve import learning_curve

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("--learning-curve trains several times over; run it in a single process")
    _quieten_libraries()

    def show(point: "Point") -> None:
        scores = "  ".join(f"{name} {value:.3f}" for name, (value, _, _) in point.scores.items())
        click.echo(f"{point.sentences:6} sentences: f1_macro {scores}")

    learning_curve(
        job.parts,
        job.scheme,
        base=job.base,
        old=job.old,
        old_scheme=job.old_manifest.scheme if job.old_manifest else None,
        output=output,
        recipe=job.settings,
        device=device,
        resume=resume,
        report=show,
    )
    held_out = "test" if job.parts.has_test else "dev"
    click.echo(f"{output}: learning_curve.jsonl and learning_curve.svg, scored on the {held_out} labels")


def _quieten_libraries() -> None:
    """No bars and no reports of transformers' own between ours; its errors still come."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


@contextmanager
def _resumable(output: Path) -> Iterator[None]:
    """Says how an interrupted training goes on."""
    try:
        yield
    except KeyboardInterrupt:
        begun = any(output.with_name(output.name + ending).exists() for ending in (".run", ".partial"))
        if begun and os.environ.get("RANK", "0") == "0":
            arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
            click.echo(f"To go on: {shlex.join(['stanceline', *arguments, '--resume'])}", err=True)
        raise


class _Reports:
    """Sentences trained on, their rate and the time left, on stderr; a line an evaluation; TensorBoard if wanted."""

    def __init__(self, quiet: bool, tensorboard_for: Path | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f} sentences/s"),
            TimeRemainingColumn(),
        )
        self.quiet = quiet
        self.progress = Progress(*columns, console=self.console, disable=quiet or not self.console.is_terminal)
        self.task = self.progress.add_task("training", total=None, rate=0.0)
        self.log = None
        if tensorboard_for and os.environ.get("RANK", "0") == "0":
            from stanceline.run_log import TensorBoardLog

            self.log = TensorBoardLog(tensorboard_for.with_name(tensorboard_for.name + ".run") / "tensorboard")

    def __enter__(self) -> "_Reports":
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()
        if self.log:
            self.log.close()

    def report(self, progress: "Progress") -> None:
        """Takes one step's progress."""
        rate = self.progress.tasks[0].speed or 0.0
        self.progress.update(self.task, completed=progress.done, total=progress.total, rate=rate)
        if self.log:
            self.log.report(progress)
        if progress.scores is not None and not self.quiet:
            scores = "  ".join(f"{name} {score:.3f}" for name, score in progress.scores.items())
            line = f"epoch {progress.epoch + 1}: dev f1_macro {scores}"
            self.console.print(line, highlight=False, soft_wrap=True)
