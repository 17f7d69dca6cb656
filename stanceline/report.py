"""The analyst's report: a predictions file as one self-contained page, or its tables as Markdown or CSV."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from stanceline import report_pages
from stanceline.errors import OutputError
from stanceline.report_content import MAX_ARTICLES, build_report

Format = Literal["html", "md", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
_RENDERERS = {"html": report_pages.html, "md": report_pages.markdown, "csv": report_pages.csv_table}


def make_report(
    predictions: Path,
    output: Path | None,
    form: Format = "html",
    *,
    model: str | Path | None = None,
    adjust: bool = True,
    max_articles: int = MAX_ARTICLES,
    force: bool = False,
    report: Callable[[str, float], None] = lambda step, fraction: None,
) -> str:
    """Makes a report of predictions; the same input gives the same bytes.

    Args:
        predictions: A JSONL, CSV or Parquet file as `classify` writes it.
        output: The file, written whole or not at all; None writes none.
        form: A page, or the tables as Markdown or CSV.
        model: The checkpoint that made the predictions; None is the user's promoted one, or else the shipped one.
        adjust: Reckon with the errors that the checkpoint made on dev; False leaves plain counts.
        max_articles: Articles that the page shows with their text.
        force: Replace a file that is there.
        report: Is told the step and how far it has got, 0 to 1.

    Returns:
        The text of the report.

    Raises:
        InputError: The predictions cannot be read, are empty, or have a sentence twice.
        CheckpointError: The checkpoint is missing, or is not the one that made the predictions.
        OutputError: The output exists or cannot be written.
    """
    if output is not None:
        _check_output(output, predictions, force)
    content = build_report(predictions, model=model, adjust=adjust, max_articles=max_articles, report=report)
    text = _RENDERERS[form](content)
    if output is not None:
        _write(text, output)
    return text


def _check_output(output: Path, predictions: Path, force: bool) -> None:
    """What would go wrong at the end is said at the start."""
    if output.is_dir():
        raise OutputError(f"{output}: is a folder; name a file in it")
    if output.exists() and predictions.exists() and output.samefile(predictions):
        raise OutputError(f"{output}: is the predictions themselves; choose another name")
    if output.exists() and not force:
        raise OutputError(f"{output}: exists already; choose another name, or give --force")
    if not output.parent.is_dir():
        raise OutputError(f"{output}: there is no folder {output.parent}; make it first")


def _write(text: str, output: Path) -> None:
    partial = output.with_name(output.name + ".partial")
    try:
        partial.write_bytes(text.encode("utf-8"))
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{output}: cannot be written: {error.strerror}") from error
