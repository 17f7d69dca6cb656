"""`stanceline promote`: a checkpoint becomes the default, unless it is worse."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stanceline.errors import UsageError

if TYPE_CHECKING:
    from stanceline.records import Example


@click.command("promote")
@click.argument("new", required=False, type=click.Path(path_type=Path))
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Copy it to this new folder instead.")
@click.option("--labels", multiple=True, type=click.Path(path_type=Path), help="Held-out labels to compare on, too.")
@click.option("--force", is_flag=True, help="Even where it is worse.")
@click.option("--shipped", is_flag=True, help="Go back to the checkpoint that ships.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, torch, cuda, ...")
@click.pass_context
def promote_command(
    ctx: click.Context,
    new: Path | None,
    folder: Path | None,
    labels: tuple[Path, ...],
    force: bool,
    shipped: bool,
    device: str,
) -> None:
    """Make the checkpoint NEW the default of `classify`, for this user.

    It is compared with the present default: by what its training found, or else on the seeds' test split (and on
    --labels). Where a field is worse (or missing) it is refused with exit status 4.
    """
    from stanceline import promotion
    from stanceline.checkpoint import copy_checkpoint

    if (new is None) == (not shipped):
        raise UsageError("name a checkpoint to promote, or --shipped")
    if new is None:
        promotion.promote_shipped()
        click.echo("the shipped checkpoint is the default again")
        return
    gate = promotion.compare_with_default(new, _read(new, labels), device=device)
    if gate:
        click.echo("\n".join(gate.lines()))
        if gate.worse and not force:
            fields = ", ".join(dict.fromkeys(c.field for c in gate.worse))
            click.echo(
                f"stanceline: {new}: refused, it is worse in {fields}; --force promotes it all the same", err=True
            )
            ctx.exit(4)
    if folder:
        copy_checkpoint(new, folder)
        click.echo(f"{folder}: a copy of {new}")
    else:
        pointer = promotion.promote(new)
        click.echo(f"{new} is the default of `stanceline classify` now (noted in {pointer})")


def _read(new: Path, labels: tuple[Path, ...]) -> "tuple[Example, ...]":
    if not labels:
        return ()
    from stanceline.checkpoint import read_manifest
    from stanceline.label_files import read_examples

    manifest = read_manifest(new)
    targets = [target.name for target in manifest.scheme.targets]
    return read_examples(labels, targets=targets, marked=manifest.model.is_marked).examples
