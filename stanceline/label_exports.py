"""Sentences for the tools that people label with: predictions go along as pre-annotations, to be corrected.

label-studio   JSON tasks, to be imported into a project with `label_studio_config`
doccano        JSONL for a text-classification project, with labels such as `western_policy:favor`
csv            a spreadsheet
"""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from stanceline.errors import OutputError
from stanceline.label_files import group_articles
from stanceline.labels import Field, LabelScheme
from stanceline.records import Example

_CARRIED = ("article_id", "sentence_index", "title", "source", "date", "text")
_HOTKEYS = "1234567890qwertyuiopasdfghjklzxcvbnm"


def export_labels(examples: Sequence[Example], fields: Sequence[Field], tool: str, path: Path) -> None:
    """Writes sentences for a tool, whole or not at all.

    Labels that come with a `checkpoint` and a confidence are the model's, and become pre-annotations; others are
    people's.

    Args:
        examples: Predictions or labels, as rows.
        fields: What is to be labelled.
        tool: A key of `WRITERS`.
        path: The new file.

    Raises:
        OutputError: It exists or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path}: exists already; choose another name or remove it first")
    write_text(path, WRITERS[tool](examples, fields))


def write_text(path: Path, text: str) -> None:
    """Writes a file under its name only when it is complete.

    Raises:
        OutputError: It cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def label_studio_config(scheme: LabelScheme) -> str:
    """The labelling interface of Label Studio for a scheme: title, the sentence before, the sentence, a choice a field.

    Paste it under Settings, Labeling Interface, Code.
    """
    described = {target.name: target.description for target in scheme.targets}
    keys = iter(_HOTKEYS)
    lines = [
        "<View>",
        '  <Header value="$title"/>',
        '  <Text name="before" value="$before"/>',
        '  <Text name="text" value="$text"/>',
    ]
    for field in scheme.fields:
        hint = f"{field.name}: {described[field.name]}" if described.get(field.name) else field.name
        lines.append(f'  <Header size="5" value={quoteattr(hint)}/>')
        lines.append(f'  <Choices name="{field.name}" toName="text" choice="single" showInLine="true">')
        for label in field.labels:
            key = next(keys, None)
            hotkey = f' hotkey="{key}"' if key else ""
            lines.append(f'    <Choice value="{label}"{hotkey}/>')
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])


def _label_studio(examples: Sequence[Example], fields: Sequence[Field]) -> str:
    tasks = []
    for group in group_articles(examples):
        before = ""
        for example in group:
            data = {name: getattr(example, name) for name in _CARRIED}
            task: dict[str, Any] = {"data": {**data, "before": before if example.related else ""}}
            result = [_choice(name.name, example) for name in fields if name.name in example.labels]
            confidences = _confidences(example, fields)
            if result and "checkpoint" in example.extra:
                prediction: dict[str, Any] = {"model_version": str(example.extra["checkpoint"]), "result": result}
                if confidences:
                    prediction["score"] = min(confidences.values())  # Label Studio sorts by it: the least sure first
                task["predictions"] = [prediction]
            elif result:
                task["annotations"] = [{"result": result}]
            tasks.append(task)
            before = example.text
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _choice(name: str, example: Example) -> dict[str, Any]:
    value = {"choices": [example.labels[name]]}
    return {"id": name, "from_name": name, "to_name": "text", "type": "choices", "value": value}


def _confidences(example: Example, fields: Sequence[Field]) -> dict[str, float]:
    given = {field.name: example.extra.get(f"{field.name}_confidence") for field in fields}
    return {name: float(value) for name, value in given.items() if value is not None}


def _doccano(examples: Sequence[Example], fields: Sequence[Field]) -> str:
    lines = []
    for example in examples:
        labels = [f"{f.name}:{example.labels[f.name]}" for f in fields if f.name in example.labels]
        row = {name: getattr(example, name) for name in _CARRIED}
        lines.append(json.dumps({**row, "label": labels}, ensure_ascii=False) + "\n")
    return "".join(lines)


def _spreadsheet(examples: Sequence[Example], fields: Sequence[Field]) -> str:
    names = [field.name for field in fields]
    others = [f"{n}{ending}" for n in names for ending in ("_confidence", *(f"_p_{x}" for x in _labels(fields, n)))]
    others = [column for column in (*others, "checkpoint") if any(column in example.extra for example in examples)]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([*_CARRIED, *names, *others])
    for example in examples:
        carried = [getattr(example, name) for name in _CARRIED]
        labels = [example.labels.get(name, "") for name in names]
        writer.writerow([*carried, *labels, *(example.extra.get(column, "") for column in others)])
    # Without the mark, spreadsheets take UTF-8 for the encoding of their country.
    return "\N{ZERO WIDTH NO-BREAK SPACE}" + stream.getvalue()


def _labels(fields: Sequence[Field], name: str) -> tuple[str, ...]:
    return next(field.labels for field in fields if field.name == name)


WRITERS: Mapping[str, Callable[[Sequence[Example], Sequence[Field]], str]] = {
    "label-studio": _label_studio,
    "doccano": _doccano,
    "csv": _spreadsheet,
}
