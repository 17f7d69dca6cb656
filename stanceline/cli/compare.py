"""`stanceline compare`: is one checkpoint, or one file of predictions, really better than another?"""

from pathlib import Path
from typing import Any

import click

_SHOWN_FLIPS = 3  # a field and way on the terminal


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.argument("labels", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for comparison.json and flips.jsonl.")
@click.option("--field", "fields", multiple=True, help="Compare only this field; may be given again.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, torch, cuda, ...")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples.")
@click.option("--resamples", type=click.IntRange(min=100), default=1000, show_default=True, help="Of whole articles.")
@click.option("--force", is_flag=True, help="Replace a comparison in the output folder.")
@click.option("--quiet", is_flag=True, help="Nothing on stderr.")
def compare_command(
    a: str,
    b: str,
    labels: tuple[Path, ...],
    output: Path | None,
    fields: tuple[str, ...],
    device: str,
    seed: int,
    resamples: int,
    force: bool,
    quiet: bool,
) -> None:
    """Compare A and B on LABELS: the difference, its interval, and which sentences flipped.

    A and B are checkpoints or files of predictions (JSONL, CSV, Parquet; also from other systems: article_id,
    sentence_index, a column a field). Intervals are by paired bootstrap over articles.
    """
    from stanceline import compare
    from stanceline.field_scores import Resampling

    if output:
        compare.check_output(output, overwrite=force)
    found = compare.compare(
        a,
        b,
        labels,
        fields=fields,
        device=device,
        resampling=Resampling(seed=seed, samples=resamples),
        report=lambda stage: None if quiet else click.echo(f"{stage} ...", err=True),
    )
    _print(compare.to_json(found), list(compare.flips(found)))
    if output:
        compare.write_comparison(found, output, overwrite=force)


def _print(data: dict[str, Any], flips: list[dict[str, Any]]) -> None:
    click.echo(f"A = {data['a']}\nB = {data['b']}")
    for name, field in data["fields"].items():
        click.echo(f"\n{name} ({field['sentences']:,} sentences in {field['articles']:,} articles)")
        for metric, found in field["metrics"].items():
            difference = found["difference"]
            interval = f"[{difference['low']:+.3f}, {difference['high']:+.3f}]  p {found['p_value']:.3f}"
            click.echo(f"  {metric:<18} A {found['a']:.3f}  B {found['b']:.3f}  {difference['value']:+.3f} {interval}")
        test = field["mcnemar"]
        click.echo(f"  only A right {test['only_a']}, only B right {test['only_b']}, McNemar p {test['p_value']:.3f}")
        for way in ("gained", "lost"):
            for row in [row for row in flips if row["field"] == name and row["way"] == way][:_SHOWN_FLIPS]:
                click.echo(f"    {way}: {row['text'][:90]} (gold {row['gold']}, A {row['a']}, B {row['b']})")
    if data["not_compared"]:
        click.echo(f"\nnot compared, only one side has it: {', '.join(data['not_compared'])}")
    click.echo(f"\n{data['verdict']}.")
