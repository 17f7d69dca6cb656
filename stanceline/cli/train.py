"""`stanceline train`: labels in, a checkpoint out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stanceline.errors import LabelError

if TYPE_CHECKING:
    from stanceline.fine_tuning import Progress
    from stanceline.labels import Target
    from stanceline.records import Example


@click.command("train")
@click.argument("labels", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The new checkpoint's folder.")
@click.option("--base", help="Checkpoint, or encoder's folder or hub name, to start from.  [default: the shipped one]")
@click.option("--dev", multiple=True, type=click.Path(path_type=Path), help="Labels to choose and calibrate by.")
@click.option("--recipe", type=click.Path(path_type=Path), help="Settings in TOML; the flags below override it.")
@click.option("--targets", type=click.Path(path_type=Path), help="TOML file of further targets.")
@click.option("--epochs", type=float)
@click.option("--learning-rate", type=float)
@click.option("--seed", type=int)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ...")
@click.option("--notes", type=click.Path(path_type=Path, exists=True), help="Markdown for the model card.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run of the same output.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train_command(
    labels: tuple[Path, ...],
    output: Path,
    base: str | None,
    dev: tuple[Path, ...],
    recipe: Path | None,
    targets: Path | None,
    epochs: float | None,
    learning_rate: float | None,
    seed: int | None,
    device: str,
    notes: Path | None,
    resume: bool,
    quiet: bool,
) -> None:
    """Fine-tune a checkpoint on labelled sentences.

    LABELS are JSONL, CSV or Parquet rows, one sentence each: article_id, sentence_index, text, a column for each
    target, sentiment. Rows whose `split` is test are never used; without --dev, a tenth of the articles is kept for
    choosing the best step.
    """
    overrides = {"epochs": epochs, "optimizer.learning_rate": learning_rate, "seed": seed}
    from stanceline import checkpoint
    from stanceline.config import read_recipe
    from stanceline.labels import LabelScheme, read_targets

    settings = read_recipe(recipe, overrides)
    folder = checkpoint.find_checkpoint(base)
    known: tuple[Target, ...] = read_targets(checkpoint.shipped_folder("seeds") / "targets.toml")
    if (folder / checkpoint.MANIFEST).exists():
        known = checkpoint.read_manifest(folder).scheme.targets
    if targets:
        known = LabelScheme(known).with_targets(read_targets(targets)).targets
    train_examples, dev_examples = _read(labels, dev, known, settings.dev_fraction)
    used = {name for example in train_examples for name in example.labels}
    scheme = LabelScheme(tuple(t for t in known if t.name in used), sentiment="sentiment" in used)
    # torch only now: everything that can be wrong with the labels has been said.
    from stanceline.training import train

    with _ProgressBar(quiet) as bar:
        trained = train(
            train_examples,
            dev_examples,
            scheme,
            base=folder if base is None else base,
            output=output,
            recipe=settings,
            device=device,
            resume=resume,
            notes=notes.read_text(encoding="utf-8") if notes else "",
            report=bar.report,
        )
    click.echo(f"{trained.folder}: {trained.manifest.reference}")
    for name, score in trained.scores.items():
        click.echo(f"  {name}: dev f1_macro {score:.3f}")


def _read(
    labels: tuple[Path, ...], dev: tuple[Path, ...], targets: "tuple[Target, ...]", dev_fraction: float
) -> "tuple[list[Example], list[Example]]":
    from stanceline.label_files import read_examples
    from stanceline.splits import split_examples

    names = [target.name for target in targets]
    table = read_examples(labels, targets=names)
    if table.unread_label_columns:
        unread = ", ".join(table.unread_label_columns)
        raise LabelError(f"{labels[0]}: columns {unread} look like labels but are no target; declare them with --targets")
    if dev:
        held_out = [example for example in table.examples if example.split in ("", "train")]
        return held_out, list(read_examples(dev, targets=names).examples)
    parts = split_examples(table.examples, dev_percent=100 * dev_fraction, test_percent=0)
    return list(parts["train"]), list(parts["dev"])


class _ProgressBar:
    """Sentences trained on, their rate and the time left, on stderr; a line an evaluation."""

    def __init__(self, quiet: bool) -> None:
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
        self.progress = Progress(*columns, console=self.console, disable=quiet or not self.console.is_terminal)
        self.task = self.progress.add_task("training", total=None, rate=0.0)

    def __enter__(self) -> "_ProgressBar":
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def report(self, progress: "Progress") -> None:
        """Takes one step's progress."""
        rate = self.progress.tasks[0].speed or 0.0
        self.progress.update(self.task, completed=progress.done, total=progress.total, rate=rate)
        if progress.scores is not None:
            scores = "  ".join(f"{name} {score:.3f}" for name, score in progress.scores.items())
            self.console.print(f"epoch {progress.epoch + 1}: dev f1_macro {scores}", highlight=False)
