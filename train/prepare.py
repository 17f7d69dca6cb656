"""Joins `further_labels.csv` with the texts that it is about, which are not distributed.

    python train/prepare.py --data DIR -o further.jsonl [--train train.jsonl]

`DIR` holds `train.jsonl`, `corpus/domain.jsonl.gz`, `newsmtsc.jsonl`, `unscon_umuc.jsonl` and
`vader_nyt_editorials.jsonl`. The labels name each sentence by its passage, its place there and the hash of its text; a
sentence whose text is not found is an error, never left out. `--train` also writes the development data's own train
rows without the labels that `doubtful_labels.csv` lists.
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
    parser.add_argument("--train", type=Path, help="write the train rows without doubtful labels here")
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
    if arguments.train:
        print(f"{arguments.train}: {without_doubtful(arguments.data, arguments.train)} labels left out")
    return 0


def without_doubtful(data: Path, output: Path) -> int:
    """Writes the train rows without the doubtful labels, and returns how many those are."""
    with (Path(__file__).parent / "doubtful_labels.csv").open(encoding="utf-8", newline="") as file:
        doubtful = {(row["article_id"], int(row["sentence_index"]), row["field"]) for row in csv.DictReader(file)}
    left_out = set()
    with output.open("w", encoding="utf-8") as out:
        for row in read(data / "train.jsonl"):
            for name in ("western_policy", "global_security_proposals", "sentiment"):
                if (key := (row["article_id"], row["sentence_index"], name)) in doubtful:
                    left_out.add(key)
                    row[name] = None
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    if missing := doubtful - left_out:
        sys.exit(f"{len(missing)} doubtful labels are not in {data / 'train.jsonl'}, such as {min(missing)}")
    return len(left_out)


Passage = tuple[str, str, str, dict[str, str]]  # title, source, date, text by hash


def passages(data: Path, wanted: set[str]) -> dict[str, Passage]:
    found: dict[str, Passage] = {}
    by_kind: dict[str, set[str]] = {}
    for key in wanted:
        by_kind.setdefault(key.split(":", 1)[0], set()).add(key.split(":", 1)[1].rsplit(":", 1)[0])
    for row in read(data / "corpus" / "domain.jsonl.gz"):
        document = short_hash(row["article_id"])  # some ids spell out the title
        if document in by_kind.get("corpus", ()):
            sentences = corpus_sentences(row["text"])
            for start in range(0, len(sentences), CORPUS_PASSAGE):
                part = sentences[start : start + CORPUS_PASSAGE]
                key = f"corpus:{document}:{start}"
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
    editorials: dict[str, list[dict]] = {}
    for row in read(data / "vader_nyt_editorials.jsonl"):
        editorials.setdefault(row["meta"]["id"].partition("_")[0], []).append(row)
    for name, rows in editorials.items():
        rows.sort(key=lambda row: int(row["meta"]["id"].partition("_")[2]))
        for start in range(0, len(rows), CORPUS_PASSAGE):
            texts = by_hash([row["text"] for row in rows[start : start + CORPUS_PASSAGE]])
            found[f"editorial:{name}:{start}"] = ("", "editorials", "", texts)
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
    return {short_hash(text): text for text in texts}


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
