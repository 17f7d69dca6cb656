"""`stanceline labels`: look at labels, put them together, take them from and to the tools of annotation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stanceline.labels import Target
    from stanceline.records import Example

_IMPORTS = ("label-studio", "doccano", "prodigy", "argilla", "csv")
_EXPORTS = ("label-studio", "doccano", "csv")
_FILE = click.Path(path_type=Path)


def _targets_option(command: Any) -> Any:
    text = "TOML file of further targets, beside those of the seeds and of the checkpoint in use."
    return click.option("--targets", type=_FILE, help=text)(command)


def _output_option(command: Any) -> Any:
    return click.option("-o", "--output", required=True, type=_FILE, help="The new file.")(command)


@click.group("labels")
def labels_command() -> None:
    """Check, merge, split, import and export labels.

    Label files are JSONL, CSV or Parquet rows, one sentence each: article_id, sentence_index, text, a column for each
    target, sentiment. An empty cell means "not labelled"; `none` is a label.
    """


@labels_command.command("check")
@click.argument("labels", nargs=-1, required=True, type=_FILE)
@_targets_option
@click.option("--whole", is_flag=True, help="Every article must be whole, from sentence 0 without a gap.")
@click.option("--strict", is_flag=True, help="Warnings fail the check too.")
@click.pass_context
def _check(ctx: click.Context, labels: tuple[Path, ...], targets: Path | None, whole: bool, strict: bool) -> None:
    """List every problem of label files with file and line, and count what is in them.

    Exit status 1 where there are errors.
    """
    from stanceline.label_checks import check_labels, render

    report = check_labels(labels, targets=_names(targets), whole=whole)
    click.echo(render(report))
    if report.errors or (strict and report.warnings):
        ctx.exit(1)


@labels_command.command("merge")
@click.argument("labels", nargs=-1, required=True, type=_FILE)
@_output_option
@_targets_option
def _merge(labels: tuple[Path, ...], output: Path, targets: Path | None) -> None:
    """Put label files together; the last label of a sentence wins, and every label that gave way is listed."""
    from stanceline.label_files import write_examples
    from stanceline.label_merge import merge_labels

    names = _names(targets)
    examples, conflicts = merge_labels(labels, targets=names)
    write_examples(output, examples, _fields(names, examples))
    for conflict in conflicts:
        click.echo(str(conflict), err=True)
    click.echo(f"{output}: {_counted(examples)}; {len(conflicts)} labels gave way to a later one")


@labels_command.command("split")
@click.argument("labels", nargs=-1, required=True, type=_FILE)
@_output_option
@_targets_option
@click.option("--dev", type=click.FloatRange(0, 99), default=10.0, show_default=True, help="Percent of the articles.")
@click.option("--test", type=click.FloatRange(0, 99), default=10.0, show_default=True, help="Percent of the articles.")
@click.option("--salt", default="", help="Another salt gives another split.")
def _split(labels: tuple[Path, ...], output: Path, targets: Path | None, dev: float, test: float, salt: str) -> None:
    """Write the column `split`: whole articles go to train, dev or test, by a hash of their id.

    Adding articles never moves the others. A split that rows give already is kept.
    """
    from stanceline.label_files import read_examples, write_examples
    from stanceline.records import SPLITS
    from stanceline.splits import split_examples

    names = _names(targets)
    table = read_examples(labels, targets=names)
    parts = split_examples(table.examples, dev_percent=dev, test_percent=test, salt=salt)
    split = {e.key: e for part in parts.values() for e in part}
    write_examples(output, [split[e.key] for e in table.examples], table.fields)
    sizes = ", ".join(f"{name} {len(parts[name])}" for name in SPLITS)  # type: ignore[index]
    click.echo(f"{output}: {sizes} sentences")


@labels_command.command("import")
@click.argument("file", type=_FILE)
@click.option("--from", "tool", required=True, type=click.Choice(_IMPORTS), help="The tool that wrote FILE.")
@_output_option
@_targets_option
@click.option(
    "--field",
    "questions",
    multiple=True,
    metavar="[QUESTION=]FIELD",
    help="The field that a question of the tool, or a column, stands for; FIELD alone is for answers without one.",
)
@click.option("--annotator", default="", help="Only this person's answers.")
def _import(
    file: Path, tool: str, output: Path, targets: Path | None, questions: tuple[str, ...], annotator: str
) -> None:
    """Turn what a tool of annotation, or a spreadsheet, exported into a labels file.

    \b
    label-studio  JSON or JSON-MIN; a Choices control a field
    doccano       JSONL of text classification; labels like western_policy:favor
    prodigy       JSONL of `prodigy db-out`; options like western_policy:favor
    argilla       JSON of dataset.records.to_json(); a question a field
    csv           a table with a column `text` and a column a field

    Records without an answer are kept without labels, as context. Where answers conflict, the last one wins and the
    conflict is listed.
    """
    from stanceline.label_files import write_examples
    from stanceline.label_formats import Questions, import_labels

    names = _names(targets)
    imported = import_labels(file, tool, Questions.of(names, questions), annotator=annotator)
    write_examples(output, imported.examples, _fields(names, imported.examples))
    for conflict in imported.conflicts:
        click.echo(conflict, err=True)
    click.echo(f"{output}: {_counted(imported.examples)}; {len(imported.conflicts)} answers gave way to a later one")
    if imported.predicted:
        click.echo(f"  {imported.unchanged} of {imported.predicted} labels are still what the model predicted")


@labels_command.command("export")
@click.argument("labels", nargs=-1, required=True, type=_FILE)
@click.option("--to", "tool", required=True, type=click.Choice(_EXPORTS), help="The tool that is to read it.")
@_output_option
@_targets_option
def _export(labels: tuple[Path, ...], tool: str, output: Path, targets: Path | None) -> None:
    """Write sentences for a tool of annotation; `classify`'s predictions go along as pre-annotations.

    LABELS are predictions or labels. For Label Studio the interface is written beside OUTPUT, as OUTPUT.config.xml.
    """
    from stanceline.label_exports import export_labels, label_studio_config, write_text
    from stanceline.label_files import read_examples
    from stanceline.labels import LabelScheme

    known = _known(targets)
    table = read_examples(labels, targets=[target.name for target in known])
    export_labels(table.examples, table.fields, tool, output)
    click.echo(f"{output}: {_counted(table.examples)}")
    if tool == "label-studio":
        used = {field.name for field in table.fields}
        scheme = LabelScheme(tuple(t for t in known if t.name in used), sentiment="sentiment" in used)
        config = output.with_name(output.name + ".config.xml")
        write_text(config, label_studio_config(scheme))
        click.echo(f"{config}: the labelling interface, for Settings > Labeling Interface > Code")


def _known(targets: Path | None) -> "tuple[Target, ...]":
    """The targets of the seeds, of the checkpoint in use, and of the file given."""
    from stanceline import checkpoint
    from stanceline.labels import LabelScheme, read_targets

    scheme = LabelScheme(read_targets(checkpoint.shipped_folder("seeds") / "targets.toml"))
    folder = checkpoint.find_checkpoint()
    if (folder / checkpoint.MANIFEST).exists():
        scheme = scheme.with_targets(checkpoint.read_manifest(folder).scheme.targets)
    return scheme.with_targets(read_targets(targets)).targets if targets else scheme.targets


def _names(targets: Path | None) -> list[str]:
    return [target.name for target in _known(targets)]


def _fields(names: Sequence[str], examples: "Sequence[Example]") -> "list[Any]":
    """The fields that some example is labelled in, in our order."""
    from stanceline.labels import LabelScheme, Target

    used = {name for example in examples for name in example.labels}
    return [f for f in LabelScheme(tuple(map(Target, names))).fields if f.name in used]


def _counted(examples: "Sequence[Example]") -> str:
    labelled = sum(bool(example.labels) for example in examples)
    rest = len(examples) - labelled
    return f"{labelled} labelled sentences" + (f", {rest} without labels" if rest else "")
