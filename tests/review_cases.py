"""Predictions for the tests of the review page: two articles, one of them hostile."""

import json
from pathlib import Path
from typing import Any

from stanceline.labels import SENTIMENT_LABELS, STANCE_LABELS
from stanceline.records import FieldPrediction, Prediction

FIELDS = {"harbour_tax": STANCE_LABELS, "night_trains": STANCE_LABELS, "sentiment": SENTIMENT_LABELS}

HARBOUR = [
    "The port council raised the harbour tax again.",
    "Shippers called it a gift to smugglers.",
    "The mayor praised the tax as fair at last.",
    "Nobody asked the pilots.",
    "Night trains to the coast return in May.",
    "The timetable has twelve stops.",
    "Sleepers were sold out within a day.",
    "A union doubts that the money will last.",
    "The ministry welcomed the night trains.",
    "Rain is expected.",
    "The harbour tax pays for the quay, the treasurer said.",
    "Critics want it gone by autumn.",
]
HOSTILE = [
    "<script>window.broken = true</script> said the spokesman.",
    '<img src=x onerror="window.broken = true"> & <b>bold</b> claims followed.',
    "The word \u202egnorw\u202c stood in the leaflet, and an invisible\u200b space.",
    "javascript:alert(1) ]]> --> {{ 7 * 7 }} ${7 * 7} '; DROP TABLE sentences; --",
    "line one\nline two\u2028line three\u0007\x00end",
    "long" + "x" * 300_000,
    "Ordinary words close it.",
]


def prediction(article: str, index: int, text: str, **others: Any) -> Prediction:
    """A prediction whose labels and confidences follow from its place."""
    fields = {}
    for offset, (name, labels) in enumerate(FIELDS.items()):
        label = labels[(index + offset) % len(labels)]
        confidence = 0.35 + ((index * 7 + offset * 3) % 13) / 20
        rest = (1 - confidence) / (len(labels) - 1)
        fields[name] = FieldPrediction(label, confidence, {n: confidence if n == label else rest for n in labels})
    return Prediction(article, index, text, fields, "tiny@0123456789ab", **others)


def rows(*, repeat: int = 1) -> list[dict[str, Any]]:
    """All rows, the ordinary article as often as wanted."""
    found = []
    for number in range(repeat):
        for index, text in enumerate(HARBOUR):
            others = {
                "title": "Port and rail",
                "source": f"Gazette {number % 3}",
                "date": f"2024-{1 + number % 12:02}-03",
            }
            found.append(prediction(f"harbour-{number}.txt", index, text, **others).to_row())
    for index, text in enumerate(HOSTILE):
        others = {"title": "<i>Leaflet</i> \u202e", "source": '"><script>1</script>', "date": "2024-05"}
        found.append(prediction("leaflet/<b>.txt", index, text, **others).to_row())
    return found


def write(path: Path, *, repeat: int = 1) -> Path:
    """The rows as JSONL."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows(repeat=repeat)]
    path.write_text("".join(lines), encoding="utf-8")
    return path
