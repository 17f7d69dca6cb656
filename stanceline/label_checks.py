"""What `stanceline labels check` does: labels held against each other, not only row by row."""

import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stanceline.label_files import LabelMap, LabelTable, RowCounts, drop_doubled, parse_files
from stanceline.label_rows import Place, Problem
from stanceline.labels import Field
from stanceline.near_duplicates import MIN_WORDS, near_duplicates, words
from stanceline.records import SPLITS, Example
from stanceline.splits import split_of

# ISO 3166 codes, and names of bodies, that a `voice` column counts as Western: those whose policy is `western_policy`.
_WESTERN = (
    "US CA GB AU NZ JP NO IS CH EU NATO G7 "
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
)
WESTERN_VOICES = frozenset(_WESTERN.split())

Severity = Literal["error", "warning"]
LabelCounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and how bad it is: an error must be mended, a warning looked at."""

    severity: Severity
    problem: Problem

    def __str__(self) -> str:
        """The finding as a line for the terminal."""
        return f"{self.severity}: {self.problem}"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What is in label files, and what is wrong with it."""

    hashes: Mapping[str, str]  # file -> SHA-256
    counts: RowCounts
    article_lengths: tuple[int, ...]  # sentences of each article
    findings: tuple[Finding, ...]
    labels: Mapping[str, Mapping[str, LabelCounts]]  # field -> split -> label -> sentences
    registers: Mapping[str, tuple[int, int]]  # register -> articles, sentences; empty without the column
    tags: LabelCounts  # empty without the column
    voices: Mapping[str, Mapping[str, LabelCounts]]  # field -> voice -> label -> sentences; empty without the column

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that must be mended: with none, the check is passed."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that may be as they should."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")


def check_labels(
    paths: Sequence[Path | str],
    fields: Sequence[Field] | None = None,
    *,
    targets: Collection[str] = (),
    label_maps: Mapping[str, LabelMap] | None = None,
    whole: bool = False,
) -> CheckReport:
    """Everything that is wrong with label files, by file and line, and the counts of what is in them.

    Args:
        paths: Label files that belong together.
        fields: As in `read_examples`.
        targets: As in `read_examples`.
        label_maps: As in `read_examples`.
        whole: Every article must be whole, from sentence 0 without a gap; otherwise a gap is only warned of, since a
            person may label some sentences of an article.

    Raises:
        LabelError: A file cannot be read, or no column holds labels.
        ConfigError: A label map names labels that its field doesn't have.
    """
    table = drop_doubled(parse_files(paths, fields, targets=targets, label_maps=label_maps))
    splits = _effective_splits(table.examples)
    labels = _labels_by_split(table, splits)
    findings = [
        *(Finding("error", problem) for problem in table.problems),
        *_split_findings(table),
        *_order_findings(table, "error" if whole else "warning"),
        *_duplicate_findings(table, splits),
    ]
    order = {path: number for number, path in enumerate(table.hashes)}
    findings.sort(key=lambda f: (order[f.problem.place.path], f.problem.place.number or 0))
    findings += _table_findings(table, labels)
    lengths = Counter(example.article_id for example in table.examples)
    return CheckReport(
        hashes=table.hashes,
        counts=table.counts,
        article_lengths=tuple(lengths.values()),
        findings=tuple(findings),
        labels=labels,
        registers=_registers(table.examples),
        tags=Counter(tag for example in table.examples for tag in tags_of(example)),
        voices=_voices(table),
    )


def tags_of(example: Example) -> list[str]:
    """The tags of a sentence: a list in JSON, or words with commas, semicolons or spaces between them."""
    given = example.extra.get("tags")
    if isinstance(given, list | tuple):
        return [str(tag) for tag in given]
    return re.findall(r"[^\s,;]+", str(given or ""))


def _effective_splits(examples: Iterable[Example]) -> dict[str, str]:
    """The split of each article, given or by hash; where rows disagree, which is an error, the first counts."""
    given: dict[str, str] = {}
    for example in examples:
        if not given.get(example.article_id):
            given[example.article_id] = example.split
    return {article: split or split_of(article) for article, split in given.items()}


def _split_findings(table: LabelTable) -> Iterable[Finding]:
    first: dict[str, tuple[str, Place]] = {}
    for example, place in zip(table.examples, table.places, strict=True):
        if not example.split:
            continue
        split, where = first.setdefault(example.article_id, (example.split, place))
        if split != example.split:
            message = f"article {example.article_id!r} is in {example.split}, but in {split} at {where}; use one split"
            yield Finding("error", Problem(place, message))


def _order_findings(table: LabelTable, severity: Severity) -> Iterable[Finding]:
    articles: dict[str, list[tuple[int, Place]]] = {}
    for example, place in zip(table.examples, table.places, strict=True):
        articles.setdefault(example.article_id, []).append((example.sentence_index, place))
    for article, sentences in articles.items():
        for (before, _), (index, place) in itertools.pairwise(sentences):
            if index < before:
                message = f"sentence {index} of article {article!r} comes after sentence {before}"
                yield Finding("warning", Problem(place, message))
                break
        expected = 0
        for index, place in sorted(sentences, key=lambda sentence: sentence[0]):
            if index != expected:
                missing = f"sentence {expected}" if index == expected + 1 else f"sentences {expected} to {index - 1}"
                message = f"{missing} of article {article!r} missing before sentence {index}"
                yield Finding(severity, Problem(place, message))
            expected = index + 1


def _duplicate_findings(table: LabelTable, splits: Mapping[str, str]) -> Iterable[Finding]:
    same: defaultdict[str, list[int]] = defaultdict(list)
    for number, example in enumerate(table.examples):
        same[" ".join(words(example.text)) or example.text.strip()].append(number)
    for text, numbers in same.items():
        first = numbers[0]
        if text.count(" ") + 1 < MIN_WORDS:
            yield from _boilerplate_finding(table, splits, numbers)
            continue
        for number in numbers[1:]:
            message = f"the same text as {table.places[first]}{_also(table, splits, first, number)}"
            yield Finding("error", Problem(table.places[number], message))
    distinct = [numbers[0] for numbers in same.values()]
    for pair in near_duplicates([table.examples[number].text for number in distinct]):
        first, number = distinct[pair.first], distinct[pair.second]
        # Rounded down, so that what is above 0.5 is never shown as less.
        likeness = f"{int(pair.similarity * 100)} % of word 4-grams shared"
        message = f"nearly the text of {table.places[first]} ({likeness}){_also(table, splits, first, number)}"
        yield Finding("error", Problem(table.places[number], message))


def _boilerplate_finding(table: LabelTable, splits: Mapping[str, str], numbers: Sequence[int]) -> Iterable[Finding]:
    """One warning for a short text, however often it comes: "Thank you." is no copy of "Thank you."."""
    if len(numbers) == 1:
        return
    others = ", ".join(str(table.places[number]) for number in numbers[1:])
    differing = next((also for n in numbers[1:] if (also := _also(table, splits, numbers[0], n))), "")
    message = f"a short text that stands again at {others}{differing}"
    yield Finding("warning", Problem(table.places[numbers[0]], message))


def _also(table: LabelTable, splits: Mapping[str, str], first: int, second: int) -> str:
    """What makes a duplicate worse: other labels, another split."""
    a, b = table.examples[first], table.examples[second]
    parts = [
        f"{name} is {b.labels[name]}, there {a.labels[name]}"
        for name in b.labels
        if name in a.labels and a.labels[name] != b.labels[name]
    ]
    if splits[a.article_id] != splits[b.article_id]:
        parts.append(f"it is in {splits[b.article_id]}, there in {splits[a.article_id]}")
    return "".join(f"; {part}" for part in parts)


def _table_findings(table: LabelTable, labels: Mapping[str, Mapping[str, LabelCounts]]) -> Iterable[Finding]:
    """What concerns no single row."""
    everything = Place(", ".join(table.hashes))
    if not table.examples and not table.problems:
        yield Finding("error", Problem(everything, "holds no rows"))
        return
    for column in table.unread_label_columns:
        message = (
            f"column {column!r} looks like labels, but is no known target; declare it in a targets file or rename it"
        )
        yield Finding("warning", Problem(everything, message))
    for field in table.fields:
        used = [label for label in field.labels if any(counts[label] for counts in labels[field.name].values())]
        if not used:
            yield Finding("warning", Problem(everything, f"no sentence is labelled in {field.name}"))
        elif len(used) == 1:
            yield Finding(
                "warning", Problem(everything, f"{field.name} is {used[0]} throughout: nothing to learn from")
            )


def _labels_by_split(table: LabelTable, splits: Mapping[str, str]) -> dict[str, dict[str, LabelCounts]]:
    counts = {field.name: {split: dict.fromkeys(field.labels, 0) for split in SPLITS} for field in table.fields}
    for example in table.examples:
        for name, label in example.labels.items():
            counts[name][splits[example.article_id]][label] += 1
    return {name: dict(by_split) for name, by_split in counts.items()}


def _registers(examples: Iterable[Example]) -> dict[str, tuple[int, int]]:
    sentences: Counter[str] = Counter()
    articles: defaultdict[str, set[str]] = defaultdict(set)
    for example in examples:
        if "register" in example.extra:
            register = str(example.extra["register"])
            sentences[register] += 1
            articles[register].add(example.article_id)
    return {register: (len(articles[register]), count) for register, count in sentences.most_common()}


def _voices(table: LabelTable) -> dict[str, dict[str, LabelCounts]]:
    found: dict[str, dict[str, LabelCounts]] = {}
    for field in table.fields:
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for example in table.examples:
            if "voice" in example.extra and field.name in example.labels:
                counts[str(example.extra["voice"]).strip().upper()][example.labels[field.name]] += 1
        if counts:
            ranked = sorted(counts, key=lambda voice: (-counts[voice].total(), voice))
            found[field.name] = {voice: {label: counts[voice][label] for label in field.labels} for voice in ranked}
    return found


def render(report: CheckReport) -> str:
    """The report for a terminal: every finding, then the counts."""
    lines = [str(finding) for finding in report.findings]
    lines += [""] if lines else []
    lengths, counts = report.article_lengths, report.counts
    lines.append(
        f"{counts.used} labelled sentences, {counts.unlabelled} unlabelled, {counts.refused} rows refused; "
        f"{len(lengths)} articles"
        + (f" of {min(lengths)} to {max(lengths)} sentences, median {statistics.median(lengths):g}" if lengths else "")
    )
    lines.append("An article whose rows give no split is counted in the split that the hash of its id puts it in.")
    for field, by_split in report.labels.items():
        lines += ["", *_table(field, _with_total(by_split))]
    if report.registers:
        rows = {name: {"articles": a, "sentences": s} for name, (a, s) in report.registers.items()}
        lines += ["", *_table("register", rows)]
    if report.tags:
        rows = {tag: {"sentences": n} for tag, n in sorted(report.tags.items(), key=lambda item: (-item[1], item[0]))}
        lines += ["", *_table("tag", rows)]
    for field, by_voice in report.voices.items():
        lines += ["", *_voice_lines(field, by_voice)]
    lines += ["", f"{len(report.errors)} errors, {len(report.warnings)} warnings"]
    return "\n".join(lines)


def _with_total(rows: Mapping[str, LabelCounts]) -> dict[str, LabelCounts]:
    total: Counter[str] = Counter()
    for counts in rows.values():
        total.update(counts)
    return {**rows, "all": total}


def _table(name: str, rows: Mapping[str, LabelCounts]) -> list[str]:
    columns = list(next(iter(rows.values())))
    first = max(len(name), *(len(row) for row in rows))
    widths = [max(len(column), *(len(str(counts[column])) for counts in rows.values())) for column in columns]
    header = "  ".join([name.ljust(first), *(c.rjust(w) for c, w in zip(columns, widths, strict=True))])
    body = [
        "  ".join([row.ljust(first), *(str(counts[c]).rjust(w) for c, w in zip(columns, widths, strict=True))])
        for row, counts in rows.items()
    ]
    return [header, *body]


def _voice_lines(field: str, by_voice: Mapping[str, LabelCounts]) -> list[str]:
    """The share of Western voices behind every label, then each voice: no label may be a shadow of who speaks."""
    lines = []
    for label in next(iter(by_voice.values())):
        total = sum(counts[label] for counts in by_voice.values())
        western = sum(counts[label] for voice, counts in by_voice.items() if voice in WESTERN_VOICES)
        share = f" ({western / total:.0%})" if total else ""
        lines.append(f"{field} {label}: {western} of {total} by Western voices{share}")
    return [*lines, *_table(f"{field} by voice", by_voice)]
