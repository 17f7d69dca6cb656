"""What retraining brings: checkpoints that never saw a register are given some labels of it.

For each register a checkpoint is trained on everything else (the recipe of `models/default`), then retrained with 200,
500 and 1,000 labels of the register, as `stanceline train LABELS` does it, and without replay and distillation. Both
are scored on other articles of the register, and on the dev labels of all other registers, where forgetting would
show. Everything that is written down goes to OUT.jsonl as it is found, and a run that was stopped goes on from there.

    python train/retraining_study.py --data DATA --base ENCODER -o OUT.jsonl            # hours; see --register, --seed
    python train/retraining_study.py --cost LABELS.jsonl -o COST.json                   # minutes, on idle cores
    python train/retraining_study.py --table OUT.jsonl [--cost-file COST.json]          # prints what the page says
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, stdev

from studies import add_row, rows_of, train_once

ROOT = Path(__file__).resolve().parent.parent
REGISTERS = ("un_state", "news_us", "russia_gov")  # what stands before the colon of `register`; each over 1,500 labels
SIZES = (200, 500, 1000)
SEEDS = (0, 1, 2)
HELD_OUT_PERCENT = 33  # of the register's articles


def register_of(example) -> str:
    return str(example.extra.get("register", "")).partition(":")[0]


def study(
    data: Path, base: str, out: Path, registers: Sequence[str], seeds: Sequence[int], epochs: float | None
) -> None:
    """All registers, sizes and seeds that `out` doesn't hold yet."""
    from stanceline.label_files import read_examples
    from stanceline.labels import LabelScheme, read_targets

    scheme = LabelScheme(read_targets(ROOT / "seeds" / "targets.toml"))
    names = [target.name for target in scheme.targets]
    train, dev = (read_examples([data / f"{part}.jsonl"], targets=names).examples for part in ("train", "dev"))
    done = {(r["register"], r["size"], r["seed"], r["way"]) for r in rows_of(out)}
    for register in registers:
        start = without(register, train, dev, scheme, base, out, epochs)
        own = [e for e in train if register_of(e) == register]
        others = [e for e in dev if register_of(e) != register]
        pool, held_out = halves(own)
        for size in SIZES:
            for seed in seeds:
                for way in ("as shipped", "new labels alone"):
                    if (register, size, seed, way) in done:
                        continue
                    labels = drawn(pool, size, seed)
                    row = retrained(start, labels, held_out, others, way, seed)
                    row = {"register": register, "size": size, "seed": seed, "way": way, **row}
                    add_row(out, row)


def without(register: str, train, dev, scheme, base: str, out: Path, epochs: float | None) -> Path:
    """A checkpoint of everything but one register, kept beside `out`."""
    from stanceline.config import read_recipe
    from stanceline.training_labels import seed_parts

    folder = out.with_name(f"without-{register}")
    rest = [e for e in train if register_of(e) != register]
    chosen_by = [e for e in dev if register_of(e) != register]
    recipe = read_recipe(ROOT / "train" / "default.toml", {"epochs": epochs})
    train_once([*rest, *seed_parts(scheme)["train"]], chosen_by, scheme, base=base, output=folder, recipe=recipe)
    return folder


def halves(examples):
    """The register's articles to draw labels from, and those to score on, by a hash of their ids."""
    from stanceline.splits import split_examples

    parts = split_examples([replace(e, split="") for e in examples], dev_percent=0, test_percent=HELD_OUT_PERCENT)
    return [replace(e, split="") for e in parts["train"]], parts["test"]


def drawn(pool, size: int, seed: int):
    """Whole articles with `size` sentences in all; the last one is cut."""
    from stanceline.label_files import group_articles

    articles = group_articles(pool)
    random.Random(f"{seed}/{size}").shuffle(articles)
    return [e for article in articles for e in article][:size]


def retrained(start: Path, labels, held_out, others, way: str, seed: int) -> dict:
    """Retrains, and compares with the start: on the register, and on everything else."""
    from stanceline.checkpoint import read_manifest
    from stanceline.classifier import StanceClassifier
    from stanceline.config import RETRAINING_DEFAULTS, read_recipe
    from stanceline.gate import field_verdicts
    from stanceline.training import train
    from stanceline.training_labels import LabelParts, divided, seed_replay

    flags = {"seed": seed}
    if way == "new labels alone":
        flags |= {"replay": 0.0, "loss.distillation": 0.0}
    recipe = read_recipe(None, flags, defaults=RETRAINING_DEFAULTS)
    scheme = read_manifest(start).scheme
    parts = LabelParts(*divided(labels, 100 * recipe.dev_fraction), ())
    replay = seed_replay(scheme, parts, ratio=recipe.replay, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "new"
        began = time.monotonic()
        train(parts.train, parts.dev, scheme, base=start, output=output, recipe=recipe, replay=replay)
        seconds = time.monotonic() - began
        old, new = (StanceClassifier.from_pretrained(path) for path in (start, output))
        return {
            "seconds": round(seconds),
            "register_scores": [asdict(v) for v in field_verdicts(old, new, held_out)],
            "other_scores": [asdict(v) for v in field_verdicts(old, new, others)],
        }


def cost(labels: Path, out: Path) -> None:
    """Wall time and memory of a training on 1,000 labels from the default checkpoint, as a user starts it."""
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "thousand.jsonl"
        few.write_text("".join(labels.read_text(encoding="utf-8").splitlines(keepends=True)[:1000]), encoding="utf-8")
        command = [sys.executable, "-m", "stanceline", "train", str(few), "-o", f"{folder}/new", "--device", "cpu"]
        began = time.monotonic()
        subprocess.run(command, check=True)
        seconds = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # Linux counts in kB
    found = {"seconds": round(seconds), "memory_gb": round(memory, 2), "cores": len(os.sched_getaffinity(0))}
    out.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(found)


def table(out: Path, cost_file: Path | None) -> Iterator[str]:
    """Markdown: mean over the seeds of the mean f1_macro over the fields, before and after."""
    found = defaultdict(list)
    for row in rows_of(out):
        found[row["register"], row["way"], row["size"]].append(row)
    yield "| register | labels | way | f1_macro on the register, before | after | change | change elsewhere |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for (register, way, size), rows in sorted(found.items()):
        before = [mean(v["old"] for v in r["register_scores"]) for r in rows]
        after = [mean(v["new"] for v in r["register_scores"]) for r in rows]
        change = [b - a for a, b in zip(before, after, strict=True)]
        elsewhere = [mean(v["new"] - v["old"] for v in r["other_scores"]) for r in rows]
        spread = f" ± {stdev(change):.3f}" if len(change) > 1 else ""
        cells = (f"{mean(before):.3f}", f"{mean(after):.3f}", f"{mean(change):+.3f}{spread}", f"{mean(elsewhere):+.3f}")
        yield f"| {register} | {size:,} | {way} | {' | '.join(cells)} |"
    draws = " to ".join(str(count) for count in sorted({len(rows) for rows in found.values()}))
    yield f"\nDraws of the labels and seeds: {draws}; means over them, ± their standard deviation."
    if cost_file:
        took = json.loads(cost_file.read_text(encoding="utf-8"))
        size = f"{took['seconds']} s and {took['memory_gb']} GB on {took['cores']} cores"
        yield f"\n1,000 labels: {size}, comparison included."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="Folder with train.jsonl and dev.jsonl, whose rows have `register`.")
    parser.add_argument("--base", help="The encoder that the checkpoints without a register start from.")
    parser.add_argument("--register", action="append", help=f"Default: {', '.join(REGISTERS)}.")
    parser.add_argument("--seed", type=int, action="append", help=f"Default: {', '.join(map(str, SEEDS))}.")
    parser.add_argument("--epochs", type=float, help="Of the checkpoints without a register; default: the recipe's.")
    parser.add_argument("--cost", type=Path, metavar="LABELS", help="Measure the cost on 1,000 of these JSONL rows.")
    parser.add_argument("--table", type=Path, metavar="OUT", help="Print the table of a finished study.")
    parser.add_argument("--cost-file", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.table:
        print("\n".join(table(given.table, given.cost_file)))
    elif given.output is None:
        parser.error("-o is missing")
    elif given.cost:
        cost(given.cost, given.output)
    elif given.data and given.base:
        study(given.data, given.base, given.output, given.register or REGISTERS, given.seed or SEEDS, given.epochs)
    else:
        parser.error("give --data and --base, or --cost, or --table")


if __name__ == "__main__":
    main()
