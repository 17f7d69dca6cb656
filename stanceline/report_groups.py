"""The articles of a report by source and by period, and the shares in each."""

import datetime
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stanceline.quantification import Quantifier, Shares, is_enough
from stanceline.report_tally import Tally

SOURCES = 12  # that are shown alone, the largest; the others are summed up
PERIODS = 40  # at most, before days become months, months quarters, quarters years

Unit = Literal["day", "month", "quarter", "year"]
_UNITS: tuple[Unit, ...] = ("day", "month", "quarter", "year")
_DATE = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?!\d).*)?)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Group:
    """Articles that are looked at together."""

    name: str
    position: int  # in time, in the unit of its division; of sources the rank
    sentences: int
    articles: int
    counts: Mapping[str, tuple[int, ...]]  # field -> predicted labels
    shares: Mapping[str, Shares] | None  # field -> its shares; None where there are too few sentences to estimate them


@dataclass(frozen=True, slots=True)
class Sources:
    """The corpus by source, the largest first."""

    groups: tuple[Group, ...]
    named: int  # different sources
    merged: int  # that the last group sums up; 0: there is no such group


@dataclass(frozen=True, slots=True)
class Periods:
    """The corpus over time, in order."""

    unit: Unit
    groups: tuple[Group, ...]
    undated: int  # sentences without a date of the form YYYY, YYYY-MM or YYYY-MM-DD, which no group holds

    @property
    def estimated(self) -> tuple[Group, ...]:
        """The periods that have enough sentences."""
        return tuple(group for group in self.groups if group.shares is not None)


def by_source(tally: Tally, quantifiers: Mapping[str, Quantifier]) -> Sources | None:
    """The shares of each large source, and of the others together; None where fewer than two are named."""
    sizes: Counter[str] = Counter()
    articles: Counter[str] = Counter()
    for article, sentences in zip(tally.articles, _sentences(tally), strict=True):
        sizes[article.source] += int(sentences)
        articles[article.source] += 1
    named = len(sizes) - ("" in sizes)
    if named < 2:
        return None
    ranked = sorted(sizes, key=lambda source: (-sizes[source], source))
    enough = [source for source in ranked if is_enough(articles[source], sizes[source])]
    alone = enough[:SOURCES]
    merged = [source for source in ranked if source not in alone]
    if len(merged) == 1:
        alone, merged = [*alone, *merged], []
    parts = [(source or "(no source)", {source}) for source in alone]
    if merged:
        parts.append((f"{len(merged):,} {'other ' if alone else ''}sources", set(merged)))
    groups = [
        _group(tally, quantifiers, name, rank, np.array([article.source in sources for article in tally.articles]))
        for rank, (name, sources) in enumerate(parts)
    ]
    return Sources(tuple(groups), named, len(merged))


def by_time(tally: Tally, quantifiers: Mapping[str, Quantifier]) -> Periods | None:
    """The shares in each period of the finest unit that leaves most periods enough sentences; None without dates."""
    dates = [_parts(article.date) for article in tally.articles]
    found = [date for date in dates if date is not None]
    if not found:
        return None
    sentences = _sentences(tally)
    unit = _unit(dates, sentences)
    keys = [None if date is None else _key(date, unit) for date in dates]
    names: dict[int, str] = {key[0]: key[1] for key in keys if key is not None}
    positions = np.array([-1 if key is None else key[0] for key in keys])
    groups = [
        _group(tally, quantifiers, names[position], position, positions == position) for position in sorted(names)
    ]
    return Periods(unit, tuple(groups), int(sentences[positions < 0].sum()))


def _group(
    tally: Tally, quantifiers: Mapping[str, Quantifier], name: str, position: int, inside: NDArray[np.bool_]
) -> Group:
    counts = {field: counts[inside] for field, counts in tally.counts.items()}
    articles, sentences = int(inside.sum()), int(_sentences(tally)[inside].sum())
    shares = None
    if is_enough(articles, sentences):
        shares = {field: quantifiers[field].shares(of_articles) for field, of_articles in counts.items()}
    sums = {field: tuple(int(n) for n in of_articles.sum(0)) for field, of_articles in counts.items()}
    return Group(name, position, sentences, articles, sums, shares)


def _sentences(tally: Tally) -> NDArray[np.int64]:
    """(G,) sentences of each article."""
    return np.asarray(next(iter(tally.counts.values())).sum(1))


_Date = tuple[int, int, int]  # year, month, day; 0 where it is not given


def _parts(date: str) -> _Date | None:
    match = _DATE.fullmatch(date.strip())
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    try:
        datetime.date(year, month or 1, day or 1)
    except ValueError:  # such as the 31st of February
        return None
    return year, month, day


def _key(date: _Date, unit: Unit) -> tuple[int, str]:
    """The place of a date in time, in whole units, and its name."""
    year, month, day = date
    if unit == "day":
        return datetime.date(year, month, day).toordinal(), f"{year:04}-{month:02}-{day:02}"
    if unit == "month":
        return 12 * year + month - 1, f"{year:04}-{month:02}"
    if unit == "quarter":
        quarter = (month - 1) // 3
        return 4 * year + quarter, f"{year:04} Q{quarter + 1}"
    return year, f"{year:04}"


def _unit(dates: Sequence[_Date | None], sentences: NDArray[np.int64]) -> Unit:
    dated = [(date, int(count)) for date, count in zip(dates, sentences, strict=True) if date is not None]
    coarsest = min(sum(part > 0 for part in date) for date, _ in dated)  # 1: some dates are only a year
    for unit in _UNITS[{1: 3, 2: 1, 3: 0}[coarsest] :]:
        articles: Counter[int] = Counter()
        sizes: Counter[int] = Counter()
        for date, count in dated:
            position = _key(date, unit)[0]
            articles[position] += 1
            sizes[position] += count
        enough = sum(is_enough(articles[p], sizes[p]) for p in sizes)
        if len(sizes) <= PERIODS and 2 * enough >= len(sizes):
            return unit
    return "year"
