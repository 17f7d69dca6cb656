"""What an evaluation must reach: `FIELD.METRIC=VALUE`, looked up in the figures of `metrics.json`."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from stanceline.behavior import KINDS
from stanceline.errors import UsageError
from stanceline.field_scores import metrics_for


def parse_thresholds(texts: Iterable[str]) -> dict[str, float]:
    """`western_policy.f1_macro=0.75` as a name and a number.

    Raises:
        UsageError: A text is of another form.
    """
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise UsageError(
                f"--fail-under {text!r}: write FIELD.METRIC=VALUE, such as western_policy.f1_macro=0.75"
            ) from error
    return found


def check_names(wanted: Iterable[str], fields: Mapping[str, set[str]], *, with_behavior: bool) -> None:
    """Refuses names that no figure will have, before anything is evaluated.

    Args:
        wanted: The names of the thresholds.
        fields: Each field that will be scored, with its labels.
        with_behavior: Whether behavioural cases will be run.

    Raises:
        UsageError: There will be no such figure.
    """
    names = [f"{field}.{metric}" for field, labels in fields.items() for metric in metrics_for(sorted(labels))]
    names += [f"stance.f1_favor_against_{how}" for how in ("pooled", "mean")]
    names += [f"behavior.{kind}.pass_rate" for kind in KINDS] if with_behavior else []
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise UsageError(f"no figure {name!r} to set a threshold for; {hint}")


def check_thresholds(metrics: Mapping[str, Any], wanted: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each threshold with the figure that was reached. A figure that is undefined on these labels passes none."""
    figures = _named_figures(metrics)
    checks = []
    for name, threshold in wanted.items():
        value = figures.get(name)
        passed = value is not None and value >= threshold
        checks.append({"metric": name, "wanted": threshold, "value": value, "passed": passed})
    return checks


def _named_figures(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for field, figures in metrics["fields"].items():
        for name, figure in figures["scores"].items():
            found[f"{field}.{name}"] = figure["value"]
    for name, figure in (metrics["stance"] or {}).items():
        if name != "targets":
            found[f"stance.{name}"] = figure["value"]
    for kind, figures in (metrics["behavior"] or {}).items():
        found[f"behavior.{kind}.pass_rate"] = figures["pass_rate"]
    return found
