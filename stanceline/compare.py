"""Is B really better than A? Both on the same sentences: paired bootstrap over articles, and McNemar's test."""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stanceline.ablations import articles_of
from stanceline.checkpoint import find_checkpoint, read_manifest
from stanceline.classifier import StanceClassifier
from stanceline.errors import LabelError, OutputError
from stanceline.field_scores import Resampling, metrics_for
from stanceline.intervals import Difference, McNemar, mcnemar, paired_difference
from stanceline.joined import Joined, by_key, join, read_predictions, stance_columns, stance_fields
from stanceline.label_files import LabelMap, LabelTable, read_examples
from stanceline.label_rows import read_rows
from stanceline.labels import SENTIMENT_FIELD, SENTIMENT_LABELS, STANCE_LABELS, Field
from stanceline.metrics import confusion_by_group
from stanceline.records import Example, Prediction

_FILES = (".jsonl", ".csv", ".parquet")
_METRICS = ("f1_macro", "f1_favor_against", "accuracy")  # the first one decides the verdict


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """One field of two systems on the same sentences."""

    a: Joined
    b: Joined
    scores_a: Mapping[str, float]
    differences: Mapping[str, Difference]  # B minus A
    test: McNemar

    @property
    def verdict(self) -> str:
        """`A`, `B`, or `` where the interval of the f1_macro's difference holds 0."""
        interval = self.differences[_METRICS[0]].interval
        return "B" if interval.low > 0 else "A" if interval.high < 0 else ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems compared on every field that both of them and the labels have."""

    name_a: str
    name_b: str
    fields: Mapping[str, FieldComparison]
    left_out: tuple[str, ...]  # fields that only one of the two has
    resampling: Resampling
    label_hashes: Mapping[str, str]

    def verdict(self) -> str:
        """The outcome in words: `B is better on western_policy by 2.1 to 4.8 points; ...`."""
        parts = []
        for name, field in self.fields.items():
            if winner := field.verdict:
                interval = field.differences[_METRICS[0]].interval
                low, high = sorted((abs(interval.low), abs(interval.high)))
                parts.append(f"{winner} is better on {name} by {100 * low:.1f} to {100 * high:.1f} points")
        equal = [name for name, field in self.fields.items() if not field.verdict]
        if equal:
            parts.append(f"no difference is shown on {' and '.join(equal)}")
        return "; ".join(parts)


def compare(
    a: str,
    b: str,
    labels: Sequence[Path],
    *,
    fields: Sequence[str] = (),
    maps: Mapping[str, LabelMap] | None = None,
    resampling: Resampling | None = None,
    device: str = "auto",
    report: Callable[[str], None] = lambda stage: None,
) -> Comparison:
    """Compares two checkpoints, or two files of predictions, or one of each.

    Args:
        a: A checkpoint (folder or hub name) or a file of predictions, from `classify` or another system.
        b: The same for the other side.
        labels: Files of labels.
        fields: The fields to compare; () is all that both sides and the labels have.
        maps: Label maps of foreign labels.
        resampling: For the intervals.
        device: To run checkpoints on.
        report: Called with what is going on.

    Raises:
        LabelError: The labels, or how they fit the predictions, have a problem.
        CheckpointError: A checkpoint cannot be used.
    """
    maps, resampling = maps or {}, resampling or Resampling()
    names = [_field_names(side) for side in (a, b)]
    wanted = list(fields) or [name for name in names[0] if name in names[1]]
    for side, known in zip((a, b), names, strict=True):
        _require(side, known, wanted)
    targets = [name for name in wanted if name != SENTIMENT_FIELD]
    chosen = [Field(n, _labels_of(n)) for n in fields] or None
    table = read_examples(labels, chosen, targets=targets, label_maps=maps)
    # Labels may have a field that the sides have too, but that was not asked for.
    table_fields = [field for field in table.fields if field.name in wanted]
    sides = []
    for side in (a, b):
        report(f"predictions of {side}")
        sides.append(_predictions(side, table.examples, stance_fields(table_fields), device))
    return compare_predictions(
        table,
        sides[0],
        sides[1],
        fields=table_fields,
        maps=maps,
        resampling=resampling,
        left_out=tuple(sorted(set(names[0]) ^ set(names[1]))) if not fields else (),
    )


def compare_predictions(
    table: LabelTable,
    a: tuple[str, Sequence[Prediction]],
    b: tuple[str, Sequence[Prediction]],
    *,
    fields: Sequence[Field],
    maps: Mapping[str, LabelMap],
    resampling: Resampling,
    left_out: tuple[str, ...] = (),
) -> Comparison:
    """`compare` for predictions that are there already: name and predictions of each side."""
    found = [by_key(table.examples, predictions) for _, predictions in (a, b)]
    compared = {}
    for field in fields:
        if not any(field.name in example.labels for example in table.examples):
            continue
        parts = [join(table.examples, predictions, field, maps.get(field.name)) for predictions in found]
        compared[field.name] = compare_field(parts[0], parts[1], resampling)
    return Comparison(a[0], b[0], compared, left_out, resampling, table.hashes)


def compare_field(a: Joined, b: Joined, resampling: Resampling) -> FieldComparison:
    """One field, joined for each side with the same labels.

    Raises:
        LabelError: There are fewer than two articles.
    """
    labels = a.field.labels
    counts = [[confusion_by_group(part.gold, part.predicted, labels, part.articles)] for part in (a, b)]
    metrics = {name: found for name, found in metrics_for(labels).items() if name in _METRICS}
    scores = {name: float(metric(counts[0][0].sum(0))) for name, metric in metrics.items()}
    differences = {
        name: paired_difference(
            metric, counts[0], counts[1], seed=resampling.seed, samples=resampling.samples, level=resampling.level
        )
        for name, metric in metrics.items()
    }
    return FieldComparison(a, b, scores, differences, mcnemar(a.correct, b.correct))


def flips(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Every sentence that the two label differently: `gained` or `lost` by B, or `changed` and wrong in both."""
    for name, field in comparison.fields.items():
        rows = zip(field.a.examples, field.a.gold, field.a.predicted, field.b.predicted, strict=True)
        for example, gold, of_a, of_b in rows:
            if of_a != of_b:
                way = "gained" if of_b == gold else "lost" if of_a == gold else "changed"
                yield {
                    "field": name,
                    "way": way,
                    "gold": gold,
                    "a": of_a,
                    "b": of_b,
                    "article_id": example.article_id,
                    "sentence_index": example.sentence_index,
                    "text": example.text,
                }


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as it is written to comparison.json."""
    fields = {}
    for name, field in comparison.fields.items():
        metrics = {}
        for metric, difference in field.differences.items():
            value = difference.interval.estimate
            metrics[metric] = {
                "a": field.scores_a[metric],
                "b": field.scores_a[metric] + value,
                "difference": {"value": value, "low": difference.interval.low, "high": difference.interval.high},
                "p_value": difference.p_value,
            }
        fields[name] = {
            "sentences": len(field.a.gold),
            "articles": len(set(field.a.articles)),
            "metrics": metrics,
            "mcnemar": asdict(field.test),
            "better": field.verdict or None,
        }
    return {
        "a": comparison.name_a,
        "b": comparison.name_b,
        "labels": dict(comparison.label_hashes),
        "resampling": asdict(comparison.resampling),
        "fields": fields,
        "not_compared": list(comparison.left_out),
        "verdict": comparison.verdict(),
    }


def write_comparison(comparison: Comparison, folder: Path, *, overwrite: bool = False) -> None:
    """Writes comparison.json and flips.jsonl.

    Raises:
        OutputError: They are there already, or the folder cannot be written.
    """
    check_output(folder, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data = json.dumps(to_json(comparison), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "comparison.json").write_text(data + "\n", encoding="utf-8")
        with (folder / "flips.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in flips(comparison))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from error


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that holds a comparison, before any work is done.

    Raises:
        OutputError: It does, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for the comparison")
    if (folder / "comparison.json").exists() and not overwrite:
        raise OutputError(f"{folder}: holds a comparison already; name another folder, or give --force to replace it")


def _is_file(side: str) -> bool:
    return Path(side).suffix.lower() in _FILES


def _field_names(side: str) -> list[str]:
    if not _is_file(side):
        return [field.name for field in read_manifest(find_checkpoint(side)).scheme.fields]
    return [*stance_columns([Path(side)]), *([SENTIMENT_FIELD] if SENTIMENT_FIELD in read_rows(side).columns else [])]


def _require(side: str, known: Sequence[str], wanted: Sequence[str]) -> None:
    if not wanted:
        raise LabelError(f"{side} has {', '.join(known) or 'no field'}, the other side has none of them to compare")
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
            raise LabelError(f"{side}: has no field {name!r} to compare; {hint}")


def _labels_of(name: str) -> tuple[str, ...]:
    return SENTIMENT_LABELS if name == SENTIMENT_FIELD else STANCE_LABELS


def _predictions(
    side: str, examples: Sequence[Example], targets: Sequence[str], device: str
) -> tuple[str, list[Prediction]]:
    if _is_file(side):
        return side, read_predictions(Path(side), targets)[0]
    classifier = StanceClassifier.from_pretrained(side, device=device)
    return classifier.manifest.reference, list(classifier.classify(articles_of(examples)))
