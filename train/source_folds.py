"""How well a training reads sources that it never saw: whole sources are left out in turn.

Each fold trains on the other sources (and on the seeds, the written articles and the further labels of other sources)
and is scored on the sentences of its own sources, on dev, and, as the fair comparison, on articles of the known
sources that were kept out at random: labels of one annotation, new texts, only the source differs.

    python train/source_folds.py --data DIR --further FILE --base ENCODER --recipe FILE -o OUT.jsonl   # hours
    python train/source_folds.py --table OUT.jsonl

FILE of `--further` is what `prepare.py` writes. A fold that OUT holds already is not run again; one that was stopped
goes on where it was.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from studies import add_row, rows_of, train_once

ROOT = Path(__file__).resolve().parent.parent
FOLDS = 3
KNOWN_PERCENT = 10  # of the articles of the known sources, kept out for comparison
PARTS = ("unseen sources", "known sources, new articles", "dev")


def study(data: Path, further: Path, share: float, base: str, recipe_file: Path, out: Path) -> None:
    """All folds that `out` doesn't hold yet."""
    from stanceline.label_files import read_examples
    from stanceline.labels import LabelScheme, read_targets
    from stanceline.splits import folds_by
    from stanceline.training_labels import seed_parts

    scheme = LabelScheme(read_targets(ROOT / "seeds" / "targets.toml"))
    names = [target.name for target in scheme.targets]
    files = (data / "train.jsonl", data / "dev.jsonl", further, ROOT / "train" / "written.jsonl")
    train, dev, more, written = (read_examples([file], targets=names).examples for file in files)
    more = drawn(more, share)
    always = [*seed_parts(scheme)["train"], *written]
    done = {row["fold"] for row in rows_of(out)}
    for number, fold in enumerate(folds_by(train, "source", folds=FOLDS)):
        if number in done:
            continue
        known, kept_out = halves(fold.train)
        held_out = set(fold.held_out)
        learned = [*known, *always, *(e for e in more if e.source not in held_out)]
        scored = dict(zip(PARTS, (fold.test, kept_out, dev), strict=True))
        scores = trained(learned, scored, scheme, base, recipe_file, out.with_name(f"{out.stem}-fold-{number}"))
        row = {"fold": number, "sources": list(fold.held_out), "trained_on": len(learned), "scores": scores}
        add_row(out, row)


def drawn(examples: Sequence, share: float) -> list:
    """A share of the articles."""
    from stanceline.label_files import group_articles

    articles = group_articles(examples)
    chosen = random.Random(0).sample(articles, round(share * len(articles)))
    return [example for article in chosen for example in article]


def halves(examples: Sequence) -> tuple[list, list]:
    """Articles to train on, and those of the same sources to score on, by a hash of their ids."""
    from stanceline.splits import split_examples

    parts = split_examples(examples, dev_percent=0, test_percent=KNOWN_PERCENT)
    return list(parts["train"]), list(parts["test"])


def trained(learned, scored, scheme, base: str, recipe_file: Path, folder: Path) -> dict:
    """Trains, and scores each part: f1_macro a field, and the number of sentences."""
    from stanceline.ablations import articles_of
    from stanceline.classifier import StanceClassifier
    from stanceline.config import read_recipe
    from stanceline.joined import by_key, join
    from stanceline.metrics import f1_macro

    train_once(learned, scored["dev"], scheme, base=base, output=folder, recipe=read_recipe(recipe_file))
    classifier = StanceClassifier.from_pretrained(folder)
    scores = {}
    for part, examples in scored.items():
        found = by_key(examples, classifier.classify(articles_of(examples)))
        joined = [join(examples, found, field) for field in classifier.scheme.fields]
        scores[part] = {j.field.name: f1_macro(j.gold, j.predicted, j.field.labels) for j in joined}
        scores[part]["sentences"] = len(examples)
    return scores


def table(out: Path) -> Iterator[str]:
    """Markdown: the mean over the folds of f1_macro, a row a part."""
    rows = rows_of(out)
    fields = [name for name in rows[0]["scores"]["dev"] if name != "sentences"]
    yield f"| scored on | sentences | {' | '.join(fields)} | mean |"
    yield f"| --- | --- | {' | '.join('---' for _ in fields)} | --- |"
    for part in PARTS:
        scores = [mean(row["scores"][part][name] for row in rows) for name in fields]
        sentences = sum(row["scores"][part]["sentences"] for row in rows)
        yield f"| {part} | {sentences:,} | {' | '.join(f'{x:.3f}' for x in (*scores, mean(scores)))} |"
    yield f"\nMeans over {len(rows)} folds; dev is scored once a fold."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="Folder with train.jsonl and dev.jsonl, whose rows have `source`.")
    parser.add_argument("--further", type=Path, help="Further labels with their texts.")
    parser.add_argument("--further-share", type=float, default=1.0, help="Of their articles; default: all.")
    parser.add_argument("--base", help="The encoder to start from.")
    parser.add_argument("--recipe", type=Path, default=ROOT / "train" / "default.toml")
    parser.add_argument("--table", type=Path, metavar="OUT", help="Print the table of a finished study.")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.table:
        print("\n".join(table(given.table)))
    elif given.data and given.further and given.base and given.output:
        study(given.data, given.further, given.further_share, given.base, given.recipe, given.output)
    else:
        parser.error("give --data, --further, --base and -o, or --table")


if __name__ == "__main__":
    main()
