"""Where the marks of a report's charts stand, in percent of the drawing: text and marks keep their size on a phone."""

from collections.abc import Sequence
from dataclasses import dataclass

from stanceline.labels import Field
from stanceline.quantification import Estimate, Shares
from stanceline.report_groups import Group

_CEILINGS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_MARGIN = 2.0  # percent left and right of the first and last mark
_LABELS = 4  # periods that are written below a time chart


@dataclass(frozen=True, slots=True)
class Whisker:
    """A mark with its interval."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A period of a time chart, in percent from the left and from the top."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """One label over time. Periods that follow each other are joined."""

    label: str
    points: tuple[Point, ...]
    segments: tuple[tuple[Point, Point], ...]


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Shares of both sides over time."""

    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, str], ...]  # percent from the top, label
    names: tuple[tuple[float, str, str], ...]  # percent from the left, label, text anchor


def share_bar(estimate: Estimate) -> Whisker:
    """A share from 0 to 1 in percent of the width."""
    return Whisker(*(round(100 * value, 2) for value in (estimate.value, estimate.low, estimate.high)))


def side_chart(shares: Shares) -> Whisker | None:
    """A net stance from -1 to 1 in percent of the width; None where there is none."""
    if shares.net is None:
        return None
    values = (shares.net.value, shares.net.low, shares.net.high)
    return Whisker(*(round(_MARGIN + (100 - 2 * _MARGIN) * (1 + value) / 2, 2) for value in values))


def time_chart(groups: Sequence[Group], field: Field) -> TimeChart:
    """The shares of the field's first two labels, in groups that have enough sentences."""
    shares = {group.position: group.shares[field.name] for group in groups if group.shares is not None}
    first, last = groups[0].position, groups[-1].position
    width = max(1, last - first)
    across = {g.position: _MARGIN + (100 - 2 * _MARGIN) * (g.position - first) / width for g in groups}
    highest = max(found.shown[place].high for found in shares.values() for place in (0, 1))
    ceiling = next(step for step in _CEILINGS if highest <= step or step == 1.0)
    lines = []
    for place in (0, 1):
        points = {}
        for position, found in shares.items():
            share = found.shown[place]
            y, low, high = (round(100 * (1 - min(v, 1.0) / ceiling), 2) for v in (share.value, share.low, share.high))
            points[position] = Point(round(across[position], 2), y, low, high)
        segments = tuple((points[p], points[p + 1]) for p in points if p + 1 in points)
        lines.append(Line(field.labels[place], tuple(points.values()), segments))
    ticks = tuple((100 * (1 - part), f"{100 * ceiling * part:.3g}%") for part in (0, 0.5, 1))
    return TimeChart(tuple(lines), ticks, _names(groups, across))


def _names(groups: Sequence[Group], across: dict[int, float]) -> tuple[tuple[float, str, str], ...]:
    """A few of the periods' names, never two close together; the outer ones are kept inside the drawing."""
    step = 100 / _LABELS
    chosen: list[Group] = []
    for group in groups:
        near_end = group is not groups[-1] and across[groups[-1].position] - across[group.position] < step
        if not chosen or (across[group.position] - across[chosen[-1].position] >= step and not near_end):
            chosen.append(group)
    if groups[-1] is not chosen[-1] and across[groups[-1].position] - across[chosen[-1].position] >= step:
        chosen.append(groups[-1])
    names = []
    for group in chosen:
        x = across[group.position]
        anchor = "start" if x < step / 2 else "end" if x > 100 - step / 2 else "middle"
        names.append((round(x, 2), group.name, anchor))
    return tuple(names)
