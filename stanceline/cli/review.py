"""`stanceline review`: a local page to look at predictions and correct them."""

from pathlib import Path

import click


@click.command("review")
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Path(path_type=Path), default="labels.jsonl", show_default=True, help="The answers."
)
@click.option("-o", "--output", "--export", type=click.Path(path_type=Path), help="Export the answers, without a page.")
@click.option(
    "--context", type=click.IntRange(0), default=3, show_default=True, help="Sentences around, in the export."
)
@click.option("--force", is_flag=True, help="Replace the file that is exported to.")
@click.option("--annotator", help="The name that answers are kept under.  [default: the user's]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but a loopback address needs a token.")
@click.option("--port", type=int, help="[default: 8765, or the next that is free]")
@click.option("--token", help="What every request must carry.  [default: made where one is needed]")
@click.option("--allow-host", multiple=True, help="A further name that the server may be called by.")
@click.option("--random-share", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Of the queue.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random share.")
@click.option(
    "--codebook", type=click.Path(path_type=Path), help="What the answers follow.  [default: the shipped one]"
)
@click.option("--model", help="Checkpoint of /api/classify.  [default: the promoted or the shipped one]")
@click.option("--no-browser", is_flag=True, help="Don't open the page.")
def review_command(
    predictions: Path,
    labels: Path,
    output: Path | None,
    context: int,
    force: bool,
    annotator: str | None,
    host: str,
    port: int | None,
    token: str | None,
    allow_host: tuple[str, ...],
    random_share: float,
    seed: int,
    codebook: Path | None,
    model: str | None,
    no_browser: bool,
) -> None:
    """Look at predictions, and correct them.

    PREDICTIONS is a file of `stanceline classify`. Every answer is on the disk before the page confirms it; stop with
    Ctrl-C, go on with the same command. With --export, the answers are written as rows that `stanceline train` takes.
    """
    from stanceline.review import export_labels, serve

    if output is not None:
        exported = export_labels(predictions, labels, output, context=context, overwrite=force, warn=_note)
        click.echo(f"{output}: {exported.labelled} labelled sentences")
        if exported.left_out:
            _note(f"{exported.left_out} answered sentences are not in {predictions} and were left out")
        return
    serve(
        predictions,
        labels,
        host=host,
        port=port,
        open_browser=not no_browser,
        annotator=annotator,
        token=token,
        allow_hosts=allow_host,
        random_share=random_share,
        seed=seed,
        codebook=codebook,
        model=model,
        report=_note,
    )


def _note(line: str) -> None:
    click.echo(line, err=True)
