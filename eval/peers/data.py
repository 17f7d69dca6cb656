"""What every peer's script shares: the same arguments, the same rows, the same form of predictions."""

import argparse
import json
import tomllib
from pathlib import Path

STANCES = ["favor", "against", "neutral", "none"]
SENTIMENTS = ["positive", "negative", "neutral"]


def arguments(description):
    """The command line of a peer."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--train", required=True, help="JSONL rows to learn from")
    parser.add_argument("--test", required=True, help="JSONL rows to predict; their labels are not looked at")
    parser.add_argument("--targets", required=True, help="targets.toml: the stance fields and their descriptions")
    parser.add_argument("--output", required=True, help="JSONL of predictions")
    parser.add_argument("--base", default="", help="folder of the encoder to start from, for peers that take one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-steps", type=int, default=-1, help="optimizer steps at most, to try a script out")
    return parser.parse_args()


def rows_of(path):
    """Rows of a JSONL file."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").split("\n") if line.strip()]


def fields_of(targets):
    """Field -> (labels, description), sentiment last."""
    tables = tomllib.loads(Path(targets).read_text(encoding="utf-8"))
    fields = {name: (STANCES, table["description"]) for name, table in tables.items()}
    return {**fields, "sentiment": (SENTIMENTS, "the tone of the sentence")}


def labelled(rows, field):
    """Texts and labels of the rows that are labelled in a field."""
    pairs = [(row["text"], row[field]) for row in rows if row.get(field)]
    return [text for text, _ in pairs], [label for _, label in pairs]


def write_predictions(path, rows, predicted, probabilities=None):
    """Predictions as `stanceline evaluate --predictions` reads them.

    `predicted` is field -> N labels, `probabilities` field -> {label: N numbers} where the peer has them.
    """
    with Path(path).open("w", encoding="utf-8") as file:
        for place, row in enumerate(rows):
            out = {"article_id": row["article_id"], "sentence_index": row["sentence_index"], "text": row["text"]}
            out.update({field: labels[place] for field, labels in predicted.items()})
            for field, columns in (probabilities or {}).items():
                out.update({f"{field}_p_{label}": round(float(p[place]), 6) for label, p in columns.items()})
            file.write(json.dumps(out, ensure_ascii=False) + "\n")
