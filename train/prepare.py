"""Joins `further_labels.csv` with the texts that it is about, which are not distributed.

    python train/prepare.py --data DIR -o further.jsonl

`DIR` holds `corpus/domain.jsonl.gz`, `newsmtsc.jsonl` and `unscon_umuc.jsonl`. The labels name each sentence by its
passage, its place there and the hash of its text; a sentence whose text is not found is an error, never left out.
"""

import argparse
import csv
import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CORPUS_PASSAGE = 8  # sentences
SPEECH_PASSAGE = 10
_SENTENCE_END = re.compile(r"(?<=[.!?”\"])\s+(?=[A-Z“\"])")
_ABBREVIATION = re.compile(r"\b(U\.S|Mr|Mrs|Dr|Gen|Sen|No|U\.N|H\.R|S|St)\.$")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the development data")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--batches", default="1", help="which batches of labels, such as 1,2 (default: 1)")
    arguments = parser.parse_args()
    with (Path(__file__).parent / "further_labels.csv").open(encoding="utf-8", newline="") as file:
        labels = [row for row in csv.DictReader(file) if row["batch"] in arguments.batches.split(",")]
    texts = passages(arguments.data, {row["passage"] for row in labels})
    rows = []
    for row in labels:
        title, source, date, sentences = texts[row["passage"]]
        text = sentences.get(row["text_sha256"])
        if text is None:
            sys.exit(f"{row['passage']}: no sentence {row['text_sha256']} there; the data is of another version")
        rows.append(
            {
                "article_id": row["passage"],
                "title": title,
                "source": source,
                "date": date,
                "sentence_index": int(row["place"]),
                "text": text,
                **{name: row[name] for name in ("western_policy", "global_security_proposals", "sentiment")},
                "weight": float(row["weight"]),
            }
        )
    with arguments.output.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    print(f"{arguments.output}: {len(rows)} sentences of {len(texts)} passages")
    return 0


Passage = tuple[str, str, str, dict[str, str]]  # title, source, date, text by hash


def passages(data: Path, wanted: set[str]) -> dict[str, Passage]:
    found: dict[str, Passage] = {}
    by_kind: dict[str, set[str]] = {}
    for key in wanted:
        by_kind.setdefault(key.split(":", 1)[0], set()).add(key.split(":", 1)[1].rsplit(":", 1)[0])
    for row in read(data / "corpus" / "domain.jsonl.gz"):
        if row["article_id"] in by_kind.get("corpus", ()):
            sentences = corpus_sentences(row["text"])
            for start in range(0, len(sentences), CORPUS_PASSAGE):
                part = sentences[start : start + CORPUS_PASSAGE]
                key = f"corpus:{row['article_id']}:{start}"
                # A few documents of the corpus share an id.
                texts = by_hash(part) | (found[key][3] if key in found else {})
                found[key] = (row["title"], row["source"], row["date"], texts)
    speeches: dict[str, list[dict]] = {}
    for row in read(data / "unscon_umuc.jsonl"):
        speeches.setdefault(row["meta"]["fileid"], []).append(row)
    for name, rows in speeches.items():
        texts = by_hash([row["text"] for row in rows])
        for row in rows:
            found[f"unscon:{name}:{row['meta']['sent']}"] = ("", "UN Security Council", name.split("_")[1], texts)
    for row in read(data / "newsmtsc.jsonl"):
        if row["split"] == "train":  # its published test sets are never trained on
            found[f"newsmtsc:{row['meta']['gid']}"] = ("", "NewsMTSC", "", by_hash([row["text"]]))
    if missing := wanted - found.keys():
        sys.exit(f"{len(missing)} passages are not in {data}, such as {min(missing)}")
    return {key: found[key] for key in wanted}


def corpus_sentences(text: str) -> list[str]:
    """The split that the labels were made with; kept as it was, so that places and hashes stay true."""
    merged: list[str] = []
    for sentence in _SENTENCE_END.split(re.sub(r"\s+", " ", text)):
        if not (sentence := sentence.strip()):
            continue
        if merged and _ABBREVIATION.search(merged[-1]):
            merged[-1] += " " + sentence
        else:
            merged.append(sentence)
    return merged


def by_hash(texts: list[str]) -> dict[str, str]:
    return {hashlib.sha256(text.encode()).hexdigest()[:12]: text for text in texts}


def read(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
