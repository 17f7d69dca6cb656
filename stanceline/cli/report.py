"""`stanceline report`: predictions in, a page to hand on out."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import TaskID

_ENDINGS = {".md": "md", ".csv": "csv"}


@click.command("report")
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The report; - is standard output."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "csv"]),
    help="A page, or the tables.  [default: by the output's ending, else html]",
)
@click.option(
    "--model", help="Checkpoint that made the predictions.  [default: your promoted one, else the shipped one]"
)
@click.option("--no-adjust", is_flag=True, help="Plain counts, without the errors that the checkpoint made on dev.")
@click.option(
    "--max-articles",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Articles shown with their text.",
)
@click.option("--force", is_flag=True, help="Overwrite the output.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def report_command(
    predictions: Path,
    output: Path,
    form: str | None,
    model: str | None,
    no_adjust: bool,
    max_articles: int,
    force: bool,
    quiet: bool,
) -> None:
    """Turn predictions into a report that needs neither network nor scripts.

    PREDICTIONS is what classify wrote: JSONL, CSV or Parquet. The report says how much of it is for and against each
    target, by source and over time, beside what that would be if the model erred as often as on its dev labels; and it
    shows the sentences and articles behind the figures.
    """
    from stanceline.report import FORMATS, make_report

    chosen = form or _ENDINGS.get(output.suffix.lower(), "html")
    to_stdout = str(output) == "-"
    with _Bar(quiet) as bar:
        text = make_report(
            predictions,
            None if to_stdout else output,
            next(name for name in FORMATS if name == chosen),
            model=model,
            adjust=not no_adjust,
            max_articles=max_articles,
            force=force,
            report=bar.report,
        )
    if to_stdout:
        click.echo(text, nl=False)
    else:
        click.echo(f"{output}: {len(text.encode()) / 1e6:.1f} MB", err=True)


class _Bar:
    """How far the reading has got, with the time left, on stderr."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)
        self._tasks: dict[str, tuple[TaskID, float]] = {}  # step -> its bar, and the fraction last shown

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def report(self, step: str, fraction: float) -> None:
        """Takes how far a step has got, 0 to 1."""
        number, shown = self._tasks.get(step) or (self._progress.add_task(step, total=1.0), -1.0)
        if fraction - shown >= 0.01 or shown < 0:
            self._progress.update(number, completed=fraction)
            shown = fraction
        self._tasks[step] = (number, shown)
