"""`stanceline classify`: articles in, a labelled row for each sentence out."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from stanceline.cli import EXIT_INTERRUPTED, EXIT_REJECTED
from stanceline.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from stanceline.batch import Destination, Request, Step


@click.command("classify")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", help="A .jsonl, .csv or .parquet file.")
@click.option("--model", help="Checkpoint folder or hub name.  [default: your promoted one, else the shipped one]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, torch (fp32 on CPU), cuda, ...")
@click.option("--columns", multiple=True, metavar="A,B", help="Columns of the input to carry into the output.")
@click.option(
    "--min-confidence", type=click.FloatRange(0, 1), metavar="P", help="Mark less certain labels as FIELD_uncertain."
)
@click.option("--any-language", is_flag=True, help="Label text that is not in English, too.")
@click.option(
    "--rejected", type=click.Path(path_type=Path), help="Inputs left out, and why.  [default: OUT.rejected.jsonl]"
)
@click.option("--force", is_flag=True, help="Overwrite the output; drop what an interrupted run has left.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run of the same output.")
@click.option("--no-cache", is_flag=True, help="Compute text that occurs again anew; labels are the same.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="ray: on a cluster."
)
@click.option(
    "--ray-address", metavar="A", help="Of a running cluster.  [default: RAY_ADDRESS, or one on this machine]"
)
@click.option(
    "--ray-actors", type=click.IntRange(1), metavar="N", help="Classifiers at once.  [default: by the cluster's size]"
)
@click.option("--quiet", is_flag=True, help="No progress bar and no summary.")
@click.pass_context
def classify_command(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str | None,
    model: str | None,
    device: str,
    columns: tuple[str, ...],
    min_confidence: float | None,
    any_language: bool,
    rejected: Path | None,
    force: bool,
    resume: bool,
    no_cache: bool,
    engine: str,
    ray_address: str | None,
    ray_actors: int | None,
    quiet: bool,
) -> None:
    """Label each sentence of articles with its stances and its sentiment.

    INPUT is a file, a folder (with all that is in it), a pattern, or - for standard input: texts (.txt, .md), pages
    (.html), and tables (.jsonl, .csv, .parquet) with a column `text` or `sentences`. Without -o, a terminal shows a
    listing and a pipe gets JSONL.

    With --engine ray, INPUT are Parquet tables and OUT is a folder; both may be addresses such as s3://bucket/folder.
    """
    from stanceline.batch import Destination, Options, Request

    names = tuple(name.strip() for part in columns for name in part.split(",") if name.strip())
    request = Request(inputs, model, device, Options(names, min_confidence, any_language), cache=not no_cache)
    if engine == "ray":
        if output is None or resume or rejected:
            raise UsageError("--engine ray needs -o FOLDER, and goes without --resume and --rejected")
        ctx.exit(_on_ray(request, output, force, (ray_address, ray_actors or 0, quiet)))
    if output is not None:
        ctx.exit(_into_file(request, Destination(Path(output), rejected, force, resume), quiet))
    if resume or rejected:
        raise UsageError("--resume and --rejected go with -o: without it, nothing is kept on disk")
    ctx.exit(_to_stdout(request, quiet))


def _into_file(request: "Request", destination: "Destination", quiet: bool) -> int:
    """Labels into the output, with a progress bar; returns the exit status."""
    from stanceline.batch import classify_corpus

    with _Progress(request, quiet) as progress, _stop_on_signal() as stop:
        summary = classify_corpus(request, destination, report=progress.report, should_stop=lambda: bool(stop))
    if not summary.finished:
        kept = f"; {summary.rows:,} sentences are kept, go on with --resume" if summary.kept else ""
        click.echo(f"stanceline: interrupted{kept}", err=True)
        return EXIT_INTERRUPTED
    if summary.rows == 0:
        click.echo(f"stanceline: nothing could be labelled; the reasons are in {summary.rejected_file}", err=True)
        return 1
    if not quiet:
        click.echo(f"{destination.output}: {summary.rows:,} sentences", err=True)
    if summary.rejected:
        click.echo(
            f"stanceline: {summary.rejected:,} inputs were left out; the reasons are in {summary.rejected_file}",
            err=True,
        )
        return EXIT_REJECTED
    return 0


def _on_ray(request: "Request", output: str, force: bool, cluster: tuple[str | None, int, bool]) -> int:
    """Labels into a folder on a cluster; returns the exit status."""
    from stanceline.ray_engine import Cluster, classify_on_ray

    summary = classify_on_ray(request, output, cluster=Cluster(*cluster), force=force)
    click.echo(f"{output}: {summary.rows:,} sentences", err=True)
    if summary.rejected:
        click.echo(
            f"stanceline: {summary.rejected:,} inputs were left out; the reasons are in {summary.rejected_file}",
            err=True,
        )
    return 1 if not summary.rows else EXIT_REJECTED if summary.rejected else 0


def _to_stdout(request: "Request", quiet: bool) -> int:
    """Lists on a terminal, or writes JSONL into a pipe; returns the exit status."""
    from stanceline.batch import stream
    from stanceline.batch_parts import encode_row

    labelled = left_out = 0
    listing = None
    if sys.stdout.isatty():
        from rich.console import Console

        from stanceline.listing import Listing

        listing = Listing(Console(highlight=False))
    with _Progress(request, quiet or listing is not None) as progress:
        for step in stream(request):
            progress.report(step)
            labelled += len(step.rows)
            if step.rejected:
                left_out += 1
                progress.say(f"stanceline: {step.rejected}")
            elif listing:
                listing.add(step.rows)
            else:
                sys.stdout.buffer.writelines(map(encode_row, step.rows))
                sys.stdout.buffer.flush()
    if not labelled:
        return 1
    return EXIT_REJECTED if left_out else 0


@contextmanager
def _stop_on_signal() -> Iterator[list[int]]:
    """A list that gets the signal when the run is asked to stop; the second Ctrl-C stops at once."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, action in before.items():
            signal.signal(number, action)


class _Progress:
    """Sentences labelled, their rate and the time left, on stderr where that is a terminal."""

    def __init__(self, request: "Request", quiet: bool) -> None:
        self.bar = None if quiet or not sys.stderr.isatty() else _bar()
        self.sentences = 0
        self.began = time.monotonic()
        if self.bar:
            from stanceline.readers import count_inputs

            # Without a total, which only reading a table would tell, there is a rate but no time left.
            self.task = self.bar.add_task("", total=count_inputs(request.inputs), sentences=0, rate=0.0)

    def __enter__(self) -> "_Progress":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar:
            self.bar.stop()

    def report(self, step: "Step") -> None:
        """Takes what came of one block."""
        if self.bar:
            self.sentences += len(step.rows)
            rate = self.sentences / max(time.monotonic() - self.began, 1e-3)
            self.bar.update(self.task, completed=step.position.item + 1, sentences=self.sentences, rate=rate)

    def say(self, line: str) -> None:
        """Prints a line on stderr, above the bar."""
        if self.bar:
            self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=True)


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.fields[sentences]:,} sentences"),
        BarColumn(),
        TextColumn("{task.fields[rate]:,.0f} a second"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
