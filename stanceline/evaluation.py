"""One evaluation: labels and a checkpoint (or a file of predictions) in, every figure out."""

import datetime
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from stanceline import ablations, behavior
from stanceline._version import __version__
from stanceline.checkpoint import find_checkpoint, read_manifest
from stanceline.classifier import StanceClassifier
from stanceline.errors import LabelError, UsageError
from stanceline.field_scores import Json, Resampling, agreement, field_figures, scores, stance_figures
from stanceline.floors import floors
from stanceline.joined import (
    Joined,
    Key,
    by_key,
    join,
    read_predictions,
    scored_labels,
    stance_columns,
    stance_fields,
)
from stanceline.label_files import LabelMap, LabelTable, read_examples
from stanceline.label_sources import label_files
from stanceline.labels import Field, LabelScheme, Target
from stanceline.records import Article, Example, FieldPrediction, Prediction
from stanceline.slices import Grouping, slicers
from stanceline.suites import Suite
from stanceline.thresholds import check_names, check_thresholds

FORMAT = 1  # of metrics.json
_VERSIONED = ("numpy", "scikit-learn", "tokenizers", "onnxruntime", "torch", "transformers", "vaderSentiment")

# Called with what is going on, and how many sentences of how many are done.
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to evaluate, and how."""

    labels: tuple[str | Path, ...]
    model: str | None = None  # None is the user's promoted checkpoint, or else the shipped one
    predictions: Path | None = None  # score these instead of running a checkpoint
    device: str = "auto"
    fields: tuple[str, ...] = ()  # () = all that the labels and the checkpoint have
    maps: Mapping[str, LabelMap] = field(default_factory=dict)
    split: str = ""  # only the rows of that split
    train: tuple[Path, ...] = ()  # labels that the floors learn from
    annotators: tuple[Path, ...] = ()
    slices: tuple[str, ...] = ()
    groups: tuple[Grouping, ...] = ()
    behavior: Path | None = None
    ablations: bool = False
    skip_bad_rows: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)  # FIELD.METRIC -> what it must reach
    suite: Suite | None = None  # that filled the request
    resampling: Resampling = field(default_factory=Resampling)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures, and what they are figures of."""

    metrics: Json  # what goes into metrics.json; docs/evaluation.md explains every key
    joined: Mapping[str, Joined]
    predictions: tuple[Prediction, ...]
    examples: tuple[Example, ...]  # all rows, the unlabelled ones too
    problems: tuple[str, ...]  # why rows were refused, with file and line
    behavior: behavior.BehaviorResult | None
    folder: Path | None  # of the checkpoint


@dataclass(frozen=True, slots=True)
class _Predicted:
    """The predictions, and where they came from."""

    predictions: list[Prediction]
    scheme: LabelScheme
    origin: Json
    classifier: StanceClassifier | None


def evaluate(request: Request, report: Report = lambda stage, done, total: None) -> Evaluation:
    """Scores a checkpoint, or a file of predictions, against labels.

    Raises:
        LabelError: The labels, or how they fit the predictions, have a problem.
        CheckpointError: The checkpoint cannot be used.
        UsageError: The parts of the request don't go together.
    """
    started = time.perf_counter()
    _check(request)
    folder = None if request.predictions else find_checkpoint(request.model)
    with label_files(request.labels) as files:
        manifest = None if folder is None else read_manifest(folder)
        scheme = _scheme_of_labels(list(files), request) if manifest is None else manifest.scheme
        table = _read(list(files), scheme, request, marked=manifest is not None and manifest.model.is_marked)
        hashes = {files[Path(path)]: digest for path, digest in table.hashes.items()}
    check_names(request.thresholds, _scored_fields(request, table), with_behavior=request.behavior is not None)
    if request.predictions:
        predicted = _from_file(request.predictions, scheme)
    else:
        predicted = _from_checkpoint(request, table.examples, report)
    found = by_key(table.examples, predicted.predictions)
    joined = {f.name: join(table.examples, found, f, request.maps.get(f.name)) for f in table.fields}
    train = _train_examples(request, scheme, table.fields)
    result = _behavior(request, predicted, report)
    metrics: Json = {
        "format": FORMAT,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **predicted.origin,
        "suite": None if request.suite is None else _suite(request.suite),
        "data": _data(request, table, hashes),
        "floors_trained_on": None if train is None else {"files": dict(train.hashes), "sentences": train.counts.used},
        "resampling": asdict(request.resampling),
        "fields": _fields(request, table, joined, predicted, train, report),
        "stance": stance_figures(joined, request.resampling),
        "behavior": None if result is None else _behavior_figures(result),
        "versions": {"stanceline": __version__, "python": platform.python_version(), **_versions()},
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
    }
    metrics["thresholds"] = check_thresholds(metrics, request.thresholds)
    metrics["seconds"] = round(time.perf_counter() - started, 1)
    problems = tuple(map(str, table.problems))
    return Evaluation(metrics, joined, tuple(predicted.predictions), table.examples, problems, result, folder)


def request_of(suite: Suite, request: Request) -> Request:
    """A request for a suite: what the request leaves open is taken from the suite."""
    return replace(
        request,
        labels=tuple(suite.data),
        suite=suite,
        fields=request.fields or suite.fields,
        maps={**suite.maps, **request.maps},
        split=request.split or suite.split,
        train=request.train or suite.train,
        annotators=request.annotators or suite.annotators,
        slices=(*suite.slices, *request.slices),
        groups=(*suite.groups, *request.groups),
        behavior=request.behavior or (None if request.predictions else suite.behavior),
        thresholds={**suite.floor, **request.thresholds},
    )


def _check(request: Request) -> None:
    if request.predictions and (request.ablations or request.behavior):
        raise UsageError("a file of predictions has no checkpoint to run ablations or behavioural cases with")
    if request.predictions and request.model:
        raise UsageError("give either --model or --predictions")
    if len(request.annotators) > 2:
        raise UsageError(f"--annotators takes one or two files, not {len(request.annotators)}")


def _scheme_of_labels(files: Sequence[Path], request: Request) -> LabelScheme:
    names = request.fields or stance_columns(files)
    return LabelScheme(tuple(Target(name) for name in names if name != "sentiment"))


def _read(files: Sequence[Path], scheme: LabelScheme, request: Request, *, marked: bool) -> LabelTable:
    fields = [scheme.field(name) for name in request.fields] or None
    table = read_examples(
        files,
        fields,
        targets=stance_fields(scheme.fields),
        label_maps=request.maps,
        marked=marked,
        refuse=request.skip_bad_rows,
    )
    if table.unread_label_columns and not request.fields:
        columns, known = ", ".join(table.unread_label_columns), ", ".join(f.name for f in scheme.fields)
        raise LabelError(
            f"{request.labels[0]}: columns {columns} look like labels, but the checkpoint has only {known}; "
            "name the fields to evaluate with --field"
        )
    if request.split:
        examples = tuple(example for example in table.examples if example.split == request.split)
        if not any(example.labels for example in examples):
            raise LabelError(f"{request.labels[0]}: no labelled row has split {request.split!r}")
        unlabelled = sum(not example.labels for example in examples)
        counts = replace(table.counts, used=len(examples) - unlabelled, unlabelled=unlabelled)
        places = tuple(p for e, p in zip(table.examples, table.places, strict=True) if e.split == request.split)
        table = replace(table, examples=examples, places=places, counts=counts)
    # A column that is there but empty is no field to score; one that was asked for by name is.
    labelled = {name for example in table.examples for name in example.labels}
    return table if fields else replace(table, fields=tuple(f for f in table.fields if f.name in labelled))


def _scored_fields(request: Request, table: LabelTable) -> dict[str, set[str]]:
    return {f.name: set(scored_labels(f, request.maps.get(f.name)).values()) for f in table.fields}


def _from_file(path: Path, scheme: LabelScheme) -> _Predicted:
    predictions, digest = read_predictions(path, stance_fields(scheme.fields))
    origin = {"checkpoint": None, "predictions": {"file": str(path), "sha256": digest}}
    return _Predicted(predictions, scheme, origin, None)


def _from_checkpoint(request: Request, examples: Sequence[Example], report: Report) -> _Predicted:
    classifier = StanceClassifier.from_pretrained(find_checkpoint(request.model), device=request.device)
    manifest = classifier.manifest
    classify = counted(classifier.classify, "classifying", len(examples), report)
    predictions = list(classify(ablations.articles_of(examples)))
    checkpoint = {
        "reference": manifest.reference,
        "created": manifest.created,
        "base": manifest.base,
        "device": request.device,
        "files": dict(manifest.files),
    }
    return _Predicted(predictions, manifest.scheme, {"checkpoint": checkpoint, "predictions": None}, classifier)


def counted(classify: ablations.Classify, stage: str, total: int, report: Report) -> ablations.Classify:
    """The same function, reporting how far it is."""

    def counting(articles: Iterable[Article]) -> Iterator[Prediction]:
        for done, prediction in enumerate(classify(articles), start=1):
            report(stage, done, total)
            yield prediction

    return counting


def _fields(
    request: Request,
    table: LabelTable,
    joined: Mapping[str, Joined],
    predicted: _Predicted,
    train: LabelTable | None,
    report: Report,
) -> Json:
    ablated = _ablated(request, table.examples, predicted, report)
    report("floors", 0, 0)
    lowest = floors(joined, None if train is None else train.examples, seed=request.resampling.seed)
    ceilings = _ceilings(request, table)
    figures = {}
    for name, part in joined.items():
        report(f"figures of {name}", 0, 0)
        cuts = slicers(part.examples, request.slices, request.groups)
        others = {
            ablation: scores(
                join(table.examples, found, _field(table, name), request.maps.get(name)), request.resampling
            )
            for ablation, found in ablated.items()
            if part.field.is_stance or ablation != "target_blind"
        }
        figures[name] = {
            "label_map": dict(request.maps[name]) if name in request.maps else None,
            **field_figures(part, request.resampling, cuts),
            "floors": {floor: scores(part, request.resampling, labels) for floor, labels in lowest[name].items()},
            "ceiling": ceilings.get(name),
            "ablations": others if request.ablations else None,
        }
    return figures


def _field(table: LabelTable, name: str) -> Field:
    return next(found for found in table.fields if found.name == name)


def _ablated(
    request: Request, examples: Sequence[Example], predicted: _Predicted, report: Report
) -> dict[str, dict[Key, Prediction]]:
    if not request.ablations or predicted.classifier is None:
        return {}
    classify, count = predicted.classifier.classify, len(examples)
    found: dict[str, Sequence[Prediction]] = {
        "context_removed": ablations.context_removed(examples, counted(classify, "without context", count, report)),
    }
    if not predicted.classifier.manifest.model.is_marked:  # a marked target is a name itself
        found["names_masked"] = ablations.names_masked(examples, counted(classify, "names masked", count, report))
    if blind := ablations.target_blind(predicted.predictions, predicted.scheme):
        found["target_blind"] = blind
    return {name: by_key(examples, predictions) for name, predictions in found.items()}


def _train_examples(request: Request, scheme: LabelScheme, fields: Sequence[Field]) -> LabelTable | None:
    if not request.train:
        return None
    maps = {name: found for name, found in request.maps.items() if name in {f.name for f in fields}}
    table = read_examples(request.train, fields, targets=stance_fields(scheme.fields), label_maps=maps)
    # As in `train`: what is marked for another split was not learned from.
    examples = tuple(example for example in table.examples if example.split in ("", "train"))
    used = sum(bool(example.labels) for example in examples)
    if not used:
        raise LabelError(f"{request.train[0]}: no labelled row is for training, all are of another split")
    return replace(table, examples=examples, counts=replace(table.counts, used=used))


def _ceilings(request: Request, table: LabelTable) -> dict[str, Json]:
    """The agreement of two annotators, or of one with the labels, on the sentences that are evaluated."""
    if not request.annotators:
        return {}
    keys = {example.key for example in table.examples}
    parts = [list(table.examples)] if len(request.annotators) == 1 else []
    for path in request.annotators:
        read = read_examples([path], table.fields, label_maps=request.maps, text_required=False)
        parts.append([example for example in read.examples if example.key in keys])
    first, second = parts
    texts = {example.key: example for example in table.examples}
    found = {}
    for one in table.fields:
        others = {example.key: example.labels[one.name] for example in second if one.name in example.labels}
        both = [replace(texts[e.key], labels=e.labels) for e in first if one.name in e.labels and e.key in others]
        if not both:
            raise LabelError(
                f"{request.annotators[-1]}: labels no sentence in {one.name} that the other annotator labels"
            )
        given = {key: _as_prediction(texts[key], one.name, label) for key, label in others.items()}
        found[one.name] = agreement(join(both, given, one, request.maps.get(one.name)), request.resampling)
    return found


def _as_prediction(example: Example, name: str, label: str) -> Prediction:
    fields = {name: FieldPrediction(label, float("nan"), {})}
    return Prediction(example.article_id, example.sentence_index, example.text, fields, "annotator")


def _behavior(request: Request, predicted: _Predicted, report: Report) -> behavior.BehaviorResult | None:
    if request.behavior is None or predicted.classifier is None:
        return None
    cases = behavior.read_cases(request.behavior, predicted.scheme)
    return behavior.run_cases(cases, counted(predicted.classifier.classify, "behavioural cases", 0, report))


def _behavior_figures(result: behavior.BehaviorResult) -> Json:
    figures: Json = {}
    for kind in behavior.KINDS:
        capabilities = list(dict.fromkeys(case.capability for case in result.cases if case.kind == kind))
        if capabilities:
            by_capability = {name: _failure_rate(*result.failed(kind, name)) for name in capabilities}
            figures[kind] = {**_failure_rate(*result.failed(kind)), "capabilities": by_capability}
    return figures


def _failure_rate(failed: int, cases: int) -> Json:
    return {"cases": cases, "failed": failed, "failure_rate": failed / cases, "pass_rate": (cases - failed) / cases}


def _suite(suite: Suite) -> Json:
    return {
        "name": suite.name,
        "description": suite.description,
        "main_metric": suite.main_metric or None,
        "baseline": dict(suite.baseline),
    }


def _data(request: Request, table: LabelTable, hashes: Mapping[str, str]) -> Json:
    return {
        "files": dict(hashes),
        "split": request.split or None,
        "rows": asdict(table.counts),
        "articles": len({example.article_id for example in table.examples}),
        "annotators": [str(path) for path in request.annotators],
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _VERSIONED}


def _processor() -> str:
    """The processor's model, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
