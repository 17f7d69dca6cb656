"""Shares of the labels and the net stance, over time and by source, with intervals over articles."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stanceline.intervals import Floats, bootstrap_counts
from stanceline.labels import Field

SAMPLES = 400  # resamples of an interval: it is drawn anew with every change of a filter
SOURCES = 12  # that are shown alone; the others are summed up
PERIODS = 40  # months at most, before they become years; two months or less are shown by day
OTHER_SOURCES = ""
_DATE = re.compile(r"(?P<year>[0-9]{4})(-(?P<month>0[1-9]|1[0-2])(-(?P<day>[0-9]{2}))?)?(?![0-9])")

LabelCount = tuple[int, str, str, str, int]  # article, source, date, label, sentences


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences that are looked at together."""

    name: str
    articles: int
    counts: Mapping[str, int]  # label -> sentences
    net: float | None  # -1 to 1; None where no sentence takes part
    low: float | None  # 95 % interval of `net`; None with fewer than two articles
    high: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """All sentences that a filter leaves, and their groups."""

    total: Group
    by_source: tuple[Group, ...]  # the largest first
    by_time: tuple[Group, ...]  # in order
    period: str  # day, month or year
    undated: int  # sentences without a date, which `by_time` leaves out


def summarize(rows: Sequence[LabelCount], field: Field, seed: int) -> Summary:
    """Groups the counts of articles.

    Net stance is (favor - against) / (favor + against + neutral): sentences that are not about the target are left out.
    Of sentiment it is (positive - negative) / all. The interval says how much it would vary with other articles of the
    same kind, not how often the model errs.

    Args:
        rows: Counts of an article and label each.
        field: Whose labels they are.
        seed: Of the resamples.
    """
    dated = [row for row in rows if _is_dated(row[2])]
    period, length = _period(dated)
    by_time = _split(dated, [row[2][:length] for row in dated])
    largest = _largest_sources(rows)
    by_source = _split(rows, [row[1] if row[1] in largest else OTHER_SOURCES for row in rows])
    groups = [_group(name, found, field, seed) for name, found in by_source.items()]
    groups.sort(key=lambda group: (group.name == OTHER_SOURCES, -sum(group.counts.values()), group.name))
    return Summary(
        total=_group("", rows, field, seed),
        by_source=tuple(groups),
        by_time=tuple(_group(name, by_time[name], field, seed) for name in sorted(by_time)),
        period=period,
        undated=sum(row[4] for row in rows) - sum(row[4] for row in dated),
    )


def net_stance(counts: Floats) -> Floats:
    """(..., C) counts in the order of the labels to (...) net stances, the first label against the second."""
    about = counts[..., :3].sum(-1)  # not `none`, the fourth of a stance; all of a sentiment
    with np.errstate(invalid="ignore"):
        return np.asarray((counts[..., 0] - counts[..., 1]) / about)


def _group(name: str, rows: Sequence[LabelCount], field: Field, seed: int) -> Group:
    order = {label: place for place, label in enumerate(field.labels)}
    places = {article: place for place, article in enumerate(dict.fromkeys(row[0] for row in rows))}
    counts = np.zeros((len(places), len(field.labels)))
    for article, _, _, label, count in rows:
        counts[places[article], order[label]] += count
    sums = {label: int(counts[:, place].sum()) for label, place in order.items()}
    # Articles that are silent on the target neither move the figure nor make it surer.
    speaking = counts[counts[:, :3].sum(1) > 0]
    if not len(speaking):
        return Group(name, len(places), sums, None, None, None)
    net = float(net_stance(speaking.sum(0)))
    if len(speaking) < 2:
        return Group(name, len(places), sums, net, None, None)
    interval = bootstrap_counts(net_stance, [speaking], seed=seed, samples=SAMPLES)
    return Group(name, len(places), sums, net, interval.low, interval.high)


def _split(rows: Sequence[LabelCount], names: Sequence[str]) -> dict[str, list[LabelCount]]:
    groups: dict[str, list[LabelCount]] = defaultdict(list)
    for row, name in zip(rows, names, strict=True):
        groups[name].append(row)
    return groups


def _largest_sources(rows: Sequence[LabelCount]) -> set[str]:
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        sizes[row[1]] += row[4]
    return set(sorted(sizes, key=lambda source: (-sizes[source], source))[:SOURCES]) - {OTHER_SOURCES}


def _is_dated(date: str) -> bool:
    return _DATE.match(date) is not None


def _period(rows: Sequence[LabelCount]) -> tuple[str, int]:
    """The finest period that every date has and that leaves few enough from first to last; its name and ISO length."""
    dates = [_DATE.match(date) for date in {row[2] for row in rows}]
    months = [int(d["year"]) * 12 + int(d["month"]) for d in dates if d is not None and d["month"]]
    days = [d for d in dates if d is not None and d["day"]]
    if not dates or len(months) < len(dates) or max(months) - min(months) >= PERIODS:
        return "year", 4
    return ("day", 10) if len(days) == len(dates) and max(months) - min(months) <= 1 else ("month", 7)
