"""Made-up predictions and a folder that is a checkpoint in all but its weights, for the tests of the report."""

import json
from pathlib import Path

import numpy as np

from stanceline.checkpoint import Calibration, Manifest, write_manifest
from stanceline.config import ModelConfig
from stanceline.encoding import SpecialTokens
from stanceline.labels import STANCE_LABELS, LabelScheme, Target
from stanceline.records import FieldPrediction, Prediction

STANCE_CONFUSION = [[70, 6, 10, 14], [4, 75, 12, 9], [10, 14, 57, 19], [6, 6, 8, 180]]
SENTIMENT_CONFUSION = [[80, 5, 15], [4, 80, 16], [10, 12, 78]]
TARGETS = (Target("dam_project", "The dam across the Ilvara."), Target("fish_quota", "Catch limits."))
CARD = "---\nlicense: apache-2.0\nlanguage: en\n---\n\n# tiny\n\nA card with a [link](https://example.org).\n"


def checkpoint_folder(folder: Path, *, confusion=None, card=CARD) -> Manifest:
    """Writes a folder that `read_manifest` takes."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "heads.safetensors", "tokenizer.json"):
        (folder / name).write_text(f"not really a {name}")
    (folder / "README.md").write_text(card, encoding="utf-8")
    scheme = LabelScheme(TARGETS)
    if confusion is None:
        confusion = {target.name: STANCE_CONFUSION for target in TARGETS} | {"sentiment": SENTIMENT_CONFUSION}
    return write_manifest(
        folder,
        Manifest(
            name="tiny",
            scheme=scheme,
            model=ModelConfig(),
            special=SpecialTokens(cls=1, sep=2, pad=0),
            calibration=Calibration({field.name: 1.0 for field in scheme.fields}, confusion),
            created="2025-03-01",
            base="none",
            versions={},
            files={},
        ),
    )


def prediction(article=0, index=0, text=None, *, reference="tiny@0", labels=None, sure=0.8, fields=None, **more):
    """One prediction; by default of both targets and the sentiment."""
    given = {"dam_project": "none", "fish_quota": "none", "sentiment": "neutral"} if fields is None else fields
    given = {**given, **(labels or {})}
    made = {}
    for name, label in given.items():
        names = ("positive", "negative", "neutral") if name == "sentiment" else STANCE_LABELS
        rest = (1 - sure) / (len(names) - 1)
        made[name] = FieldPrediction(label, sure, {n: sure if n == label else rest for n in names})
    more.setdefault("title", f"Article {article}")
    article_id = more.pop("article_id", f"article-{article}")
    return Prediction(article_id, index, text or f"Sentence {index} of {article}.", made, reference, **more)


def corpus(reference, *, articles=60, sentences=8, seed=0, sources=("Ilvara Post", "Coast Wire"), years=(2022, 2023)):
    """Predictions of articles that differ, spread over sources and years."""
    rng = np.random.default_rng(seed)
    for article in range(articles):
        mix = rng.dirichlet([1.5, 3.0, 1.5, 6.0])
        where = {"source": sources[article % len(sources)] if sources else ""}
        where["date"] = (
            f"{years[article % len(years)]}-{1 + article % 12:02}-{1 + article // 12 % 28:02}" if years else ""
        )
        for index in range(sentences):
            labels = {"dam_project": STANCE_LABELS[rng.choice(4, p=mix)]}
            labels["sentiment"] = ("positive", "negative", "neutral")[rng.integers(3)]
            sure = float(rng.uniform(0.4, 0.99))
            yield prediction(article, index, reference=reference, labels=labels, sure=sure, **where)


def write(path: Path, predictions) -> Path:
    """The predictions as JSONL."""
    lines = [json.dumps(found.to_row(), ensure_ascii=False) + "\n" for found in predictions]
    path.write_text("".join(lines), encoding="utf-8")
    return path
