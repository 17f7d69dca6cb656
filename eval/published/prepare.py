"""Rows for two published tasks, from the files that hold their data: eval/published/prepare.py DIR -o FOLDER

DIR/newsmtsc.jsonl                   newsmtsc.train.jsonl, newsmtsc.test_mt.jsonl, newsmtsc.test_rw.jsonl
DIR/semeval2016_t6_tweeteval.jsonl   semeval2016.train.jsonl, semeval2016.test.jsonl

Splits are those that were published; TweetEval's `val` is a part of SemEval's train. What is written holds other
people's text: it stays out of the repository.
"""

import argparse
import json
from pathlib import Path

from stanceline.near_duplicates import words
from stanceline.records import UNRELATED_TITLE

STANCES = {"favor": "favor", "against": "against", "neutral": "none"}  # what TweetEval calls neutral is the task's NONE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the two files")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the rows")
    parser.add_argument("--limit", type=int, help="rows of each file at most, to try it out")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    tasks = {"newsmtsc": ("newsmtsc", news_row), "semeval2016": ("semeval2016_t6_tweeteval", tweet_row)}
    for name, (file, row_of) in tasks.items():
        parts = {}
        for number, given in enumerate(rows_of(options.data / f"{file}.jsonl")):
            split = "train" if given["split"] == "val" else given["split"]
            parts.setdefault(split, []).append(row_of(number, given))
        for split, rows in parts.items():
            path = options.output / f"{name}.{split}.jsonl"
            numbered = in_articles(rows, f"{name}/{split}")[: options.limit]
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in numbered), encoding="utf-8")
            print(f"{path}: {len(numbered)} rows")


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def news_row(number, given):
    """The sentiment toward a mention; its document is the beginning of its id."""
    offsets = {"target_start": given["meta"]["from"], "target_end": given["meta"]["to"]}
    document = "_".join(given["meta"]["gid"].split("_")[:3])
    return document, {"text": given["text"], "target": given["target"], **offsets, "sentiment": given["label"]}


def tweet_row(number, given):
    """The stance toward a target that the tweet need not name; every tweet is a document."""
    return str(number), {"text": given["text"], "target": given["target"], "stance": STANCES[given["label"]]}


def in_articles(found, prefix):
    """Rows with an identity: the rows of a document are an article, so that none of it is in train and in dev.

    A sentence with several targets is several rows, numbered on. A text that comes again stays in the article that had
    it first. The title says that the rows are read without each other.
    """
    article_of, counts, rows = {}, {}, []
    for document, row in found:
        article = article_of.setdefault(tuple(words(row["text"])), f"{prefix}/{document}")
        index = counts[article] = counts.get(article, -1) + 1
        rows.append({"article_id": article, "title": UNRELATED_TITLE, "sentence_index": index, **row})
    return rows


if __name__ == "__main__":
    main()
