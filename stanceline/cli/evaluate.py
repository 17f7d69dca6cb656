"""`stanceline evaluate`: how far can a checkpoint be trusted, and where does it fail?"""

from pathlib import Path
from types import TracebackType

import click

from stanceline.cli import EXIT_BELOW, EXIT_REJECTED
from stanceline.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command("evaluate")
@click.argument("labels", nargs=-1)
@click.option("--model", help="Checkpoint to evaluate.  [default: the promoted or the shipped one]")
@click.option("--predictions", type=_PATH, help="Score this file of predictions instead of running a checkpoint.")
@click.option("-o", "--output", "--report", "output", type=_PATH, help="Folder for the report (HTML, JSON, SVG).")
@click.option("--suite", help="An evaluation of the suites file, by name, in place of LABELS.")
@click.option("--suites", type=_PATH, default=Path("eval/suites.toml"), show_default=True, help="The suites file.")
@click.option("--field", "fields", multiple=True, help="Evaluate only this field; may be given again.")
@click.option("--split", default="", help="Only rows of this split.")
@click.option(
    "--train", multiple=True, type=_PATH, help="Labels for the floors to learn from.  [default: cross-fitted]"
)
@click.option("--annotators", multiple=True, type=_PATH, help="A second annotator's labels, or twice: one of each.")
@click.option("--by", "slices", multiple=True, help="Slice by this column, too; may be given again.")
@click.option("--behavior", type=_PATH, help="Behavioural cases to run.")
@click.option("--ablations", is_flag=True, help="Also score without context, target-blind, and with names masked.")
@click.option("--card", is_flag=True, help="Write the figures into the checkpoint's model card; implies --ablations.")
@click.option("--fail-under", multiple=True, metavar="FIELD.METRIC=VALUE", help="Exit 4 where a figure is lower.")
@click.option("--skip-bad-rows", is_flag=True, help="Leave rows with a problem out, list them, and exit 3.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, torch, cuda, ...")
@click.option("--seed", type=int, default=0, show_default=True, help="Of resamples and folds.")
@click.option("--resamples", type=click.IntRange(min=100), default=1000, show_default=True, help="Of whole articles.")
@click.option("--force", is_flag=True, help="Replace a report in the output folder.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.pass_context
def evaluate_command(
    ctx: click.Context,
    labels: tuple[str, ...],
    model: str | None,
    predictions: Path | None,
    output: Path | None,
    suite: str | None,
    suites: Path,
    fields: tuple[str, ...],
    split: str,
    train: tuple[Path, ...],
    annotators: tuple[Path, ...],
    slices: tuple[str, ...],
    behavior: Path | None,
    ablations: bool,
    card: bool,
    fail_under: tuple[str, ...],
    skip_bad_rows: bool,
    device: str,
    seed: int,
    resamples: int,
    force: bool,
    quiet: bool,
) -> None:
    """Score a checkpoint against LABELS, beside floors and (with --annotators) a ceiling.

    LABELS are files of rows (JSONL, CSV, Parquet), or a Hugging Face dataset by folder or name (`owner/name:split`).
    Intervals are by bootstrap over articles.
    """
    from stanceline.evaluation import Request, evaluate, request_of
    from stanceline.evaluation_card import write_figures
    from stanceline.evaluation_files import behavior_failures, check_folder, write_report
    from stanceline.evaluation_page import as_text
    from stanceline.field_scores import Resampling
    from stanceline.suites import read_suite
    from stanceline.thresholds import parse_thresholds

    if bool(labels) == bool(suite):
        raise UsageError("name files of labels, or a --suite")
    if card and predictions:
        raise UsageError("--card needs a checkpoint, not --predictions")
    if output:
        check_folder(output, overwrite=force)
    request = Request(
        labels=labels,
        model=model,
        predictions=predictions,
        device=device,
        fields=fields,
        split=split,
        train=train,
        annotators=annotators,
        slices=slices,
        behavior=behavior,
        ablations=ablations or card,
        skip_bad_rows=skip_bad_rows,
        thresholds=parse_thresholds(fail_under),
        resampling=Resampling(seed=seed, samples=resamples),
    )
    if suite:
        request = request_of(read_suite(suites, suite), request)
    with _Progress(quiet) as progress:
        found = evaluate(request, progress.report)
    click.echo(as_text(found.metrics))
    if output:
        write_report(found, output, overwrite=force)
        click.echo(f"\nreport: {output / 'evaluation.html'}")
    if card and found.folder:
        click.echo(f"card: {write_figures(found.folder, found.metrics, behavior_failures(found))}")
    for problem in found.problems:
        click.echo(f"stanceline: left out: {problem}", err=True)
    if not all(check["passed"] for check in found.metrics["thresholds"]):
        ctx.exit(EXIT_BELOW)
    if found.problems:
        ctx.exit(EXIT_REJECTED)


class _Progress:
    """What is going on, with sentences, their rate and the time left, on stderr where that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        self.task = self.progress.add_task("loading", total=None, rate="")

    def __enter__(self) -> "_Progress":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def report(self, stage: str, done: int, total: int) -> None:
        """Takes the state of a stage; a total of 0 is one that cannot be counted."""
        task = self.progress.tasks[0]
        if task.description != stage:
            self.progress.reset(self.task, total=total or None, description=stage, rate="")
        rate = f"{task.speed:.0f} sentences/s" if task.speed else ""
        self.progress.update(self.task, completed=done, rate=rate)
