"""Is the new checkpoint better than the old one? Both label the same held-out sentences, and scores are paired."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from stanceline.ablations import articles_of
from stanceline.classifier import StanceClassifier
from stanceline.compare import compare_field
from stanceline.errors import CheckpointError
from stanceline.field_scores import Resampling
from stanceline.joined import Joined, by_key, join
from stanceline.metrics import f1_macro
from stanceline.records import Example
from stanceline.target_marking import problem_of

GATE_FILE = "gate.json"

Verdict = Literal["better", "worse", "not shown", "new field", "field lost"]


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """f1_macro of one field under both checkpoints, on the same sentences."""

    field: str
    sentences: int
    old: float | None  # None where that checkpoint has no such field
    new: float | None
    low: float | None  # 95 % interval of the difference, by bootstrap over articles
    high: float | None
    verdict: Verdict

    def __str__(self) -> str:
        """The comparison as a line for the terminal."""
        old = "  -  " if self.old is None else f"{self.old:.3f}"
        new = "  -  " if self.new is None else f"{self.new:.3f}"
        line = f"{self.field}: f1_macro {old} -> {new} on {self.sentences} sentences"
        if self.old is not None and self.new is not None:
            line += f", {self.new - self.old:+.3f}"
        if self.low is not None and self.high is not None:
            line += f" ({self.low:+.3f} to {self.high:+.3f})"
        return f"{line}: {self.verdict}"


@dataclass(frozen=True, slots=True)
class Gate:
    """An old and a new checkpoint, compared."""

    old: str  # name@hash
    new: str
    held_out: tuple[FieldVerdict, ...]  # on labels of the user's that were not trained on
    seeds: tuple[FieldVerdict, ...]  # on the seeds' test split: was anything forgotten?
    held_out_is_dev: bool  # the new checkpoint's best step was chosen on them

    @property
    def worse(self) -> tuple[FieldVerdict, ...]:
        """The comparisons that the new checkpoint lost."""
        return tuple(c for c in (*self.held_out, *self.seeds) if c.verdict in ("worse", "field lost"))

    def lines(self) -> list[str]:
        """The report for a terminal."""
        lines = [f"{self.new} against {self.old}"]
        if self.held_out:
            dev = "on the dev labels, by which the best step was chosen: that flatters the new one"
            lines += [dev if self.held_out_is_dev else "on the held-out labels", *(f"  {c}" for c in self.held_out)]
        if self.seeds:
            lines += ["on the test split of the seeds", *(f"  {c}" for c in self.seeds)]
        return lines

    def save(self, folder: Path) -> None:
        """Leaves the comparison in the new checkpoint's folder, for `promote`; it is no part of what predicts."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        (folder / GATE_FILE).write_text(text, encoding="utf-8")


def read_gate(folder: Path) -> Gate | None:
    """The comparison that was left with a checkpoint, if any.

    Raises:
        CheckpointError: It is damaged.
    """
    path = folder / GATE_FILE
    if not path.exists():
        return None
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parts = {name: tuple(FieldVerdict(**c) for c in data[name]) for name in ("held_out", "seeds")}
        return Gate(data["old"], data["new"], parts["held_out"], parts["seeds"], data["held_out_is_dev"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged ({error!r}); delete it, and `promote` compares anew") from error


def run_gate(
    old: Path,
    new: Path,
    held_out: Sequence[Example],
    seeds: Sequence[Example],
    *,
    held_out_is_dev: bool = False,
    device: str = "auto",
) -> Gate:
    """Compares two checkpoints.

    Args:
        old: A checkpoint's folder.
        new: Another one's.
        held_out: Labels that neither was trained on; may be empty.
        seeds: The test split of the seeds.
        held_out_is_dev: Whether the new one's best step was chosen on `held_out`.
        device: As in `StanceClassifier.from_pretrained`.
    """
    classifiers = [StanceClassifier.from_pretrained(folder, device=device) for folder in (old, new)]
    parts = [field_verdicts(classifiers[0], classifiers[1], examples) for examples in (held_out, seeds)]
    references = [classifier.manifest.reference for classifier in classifiers]
    return Gate(references[0], references[1], parts[0], parts[1], held_out_is_dev)


def field_verdicts(
    old: StanceClassifier, new: StanceClassifier, examples: Sequence[Example]
) -> tuple[FieldVerdict, ...]:
    """Both on the same sentences, for every field that one of them has and that is labelled."""
    labelled = {name for example in examples for name in example.labels}
    if not labelled:
        return ()
    joined = [_joined(classifier, examples, labelled) for classifier in (old, new)]
    names = dict.fromkeys([*joined[0], *joined[1]])
    return tuple(_verdict(name, joined[0].get(name), joined[1].get(name)) for name in names)


def _joined(classifier: StanceClassifier, examples: Sequence[Example], labelled: set[str]) -> Mapping[str, Joined]:
    fields = [field for field in classifier.scheme.fields if field.name in labelled]
    articles = articles_of(examples)
    # The seeds have no targets: what reads marked ones has no say on them.
    if not fields or (classifier.manifest.model.is_marked and any(map(problem_of, articles))):
        return {}
    found = by_key(examples, classifier.classify(articles))
    return {field.name: join(examples, found, field) for field in fields}


def _verdict(name: str, old: Joined | None, new: Joined | None) -> FieldVerdict:
    if old is None or new is None:
        part = old or new
        assert part is not None
        score = f1_macro(part.gold, part.predicted, part.field.labels)
        if old is None:
            return FieldVerdict(name, len(part.gold), None, score, None, None, "new field")
        return FieldVerdict(name, len(part.gold), score, None, None, None, "field lost")
    scores = [f1_macro(part.gold, part.predicted, part.field.labels) for part in (old, new)]
    if len(set(old.articles)) < 2:  # a single article has no interval
        return FieldVerdict(name, len(old.gold), scores[0], scores[1], None, None, "not shown")
    compared = compare_field(old, new, Resampling())
    interval = compared.differences["f1_macro"].interval
    verdicts: dict[str, Verdict] = {"A": "worse", "B": "better"}
    verdict = verdicts.get(compared.verdict, "not shown")
    return FieldVerdict(name, len(old.gold), scores[0], scores[1], interval.low, interval.high, verdict)
