"""`stanceline models`: what checkpoints there are."""

from pathlib import Path

import click


@click.group("models")
def models_command() -> None:
    """List the checkpoints that there are."""


@models_command.command("list")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True))
def _list(folders: tuple[Path, ...]) -> None:
    """List the shipped checkpoint, the promoted one, and those in FOLDERS or right below them.

    FOLDERS is the current folder by default. `*` marks the default of `classify`.
    """
    from stanceline.promotion import models

    found = models(folders or (Path(),))
    if not found:
        click.echo("no checkpoint was found; name the folder that holds some")
    for model in found:
        fields = ", ".join(field.name for field in model.manifest.scheme.fields)
        mark = "*" if model.is_default else " "
        size = f"{model.size_bytes / 1e6:.0f} MB"
        click.echo(f"{mark} {model.manifest.reference}  {model.origin}, {model.manifest.created}, {size}")
        click.echo(f"    {fields}; trained from {model.manifest.base}")
        click.echo(f"    {model.folder}")
