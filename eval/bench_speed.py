"""Measures how fast we label on this machine's CPU: beside what a user would do otherwise, and beside the machine.

Run it with `make bench-speed`, on an idle machine. Everything is measured in one run on the same sentences, the cache
off; it writes eval/results/speed-CHECKPOINT.json and .svg and prints the table. Peers run in eval/peers/.venv.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "eval" / "peers"
RESULTS = ROOT / "eval" / "results"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
# What the issue of the batch engine asks for: ours over the peer's sentences a second.
GOALS = {
    "pipeline, default": 5.0,
    "pipeline, batch_size=32": 2.8,
    "SetFit, 3 fields": 3.0,
    "CrossEncoder, 2 targets": 4.0,
}
BOUND_GOAL = 1.2
STARTUP_GOAL_S = 2.0
GEMM_REPEATS = 60


def main():
    options = parse()
    os.environ["OMP_NUM_THREADS"] = str(CORES)
    from stanceline import checkpoint
    from stanceline.classifier import StanceClassifier, load_encoder
    from stanceline.readers import read_articles

    folder = checkpoint.find_checkpoint(options.model)
    manifest = checkpoint.read_manifest(folder)
    encoder = load_encoder(folder, manifest)
    rejected: list[Any] = []
    articles = list(read_articles(options.articles, reject=rejected.append))
    print(f"{manifest.reference}, {len(articles)} articles, {CORES} cores, {cpu_name()}", flush=True)
    classifier = StanceClassifier.from_pretrained(folder, device="cpu", cache=False)
    blocks = [block for article in articles for block in classifier.blocks(article)]
    result: dict[str, Any] = {
        "checkpoint": manifest.reference,
        "date": datetime.date.today().isoformat(),
        "machine": {"cpu": cpu_name(), "cores": CORES, "flags": cpu_flags(), "python": platform.python_version()},
        "sentences": sum(len(block.sentences) for block in blocks),
        "systems": {},
    }
    if result["sentences"] < 200:
        print("fewer than 200 sentences: the figures say little", file=sys.stderr)
    rate = gemm_rate(folder)
    result["gemm_fp32_gmacs"] = round(rate / 1e9, 2)
    work = macs(folder, [len(window.token_ids) for block in blocks for window in block.windows])
    tokens = sum(len(window.token_ids) for block in blocks for window in block.windows)
    result["bound"] = {
        "seconds": work / rate,
        "macs": work,
        "what": "multiply-adds of our unpadded tokens / fp32 GEMM rate",
    }
    systems = result["systems"]
    for name, device in (("ours, CPU", "cpu"), ("ours, fp32 torch", "torch")):
        seconds = our_seconds(folder, device, articles, options.repeats)
        systems[name] = figures(result["sentences"], tokens, seconds)
        systems[name]["share_of_bound"] = round(work / rate / seconds, 3)
        print(f"{name}: {systems[name]}", flush=True)
    fast, reference = (StanceClassifier.from_pretrained(folder, device=d, cache=False) for d in ("cpu", "torch"))
    result["agreement_with_fp32"] = agreement(fast, reference, articles)
    if options.peers:
        with tempfile.TemporaryDirectory() as scratch:
            for name, answer in peers(Path(scratch), folder, manifest, encoder, blocks, options):
                systems[name] = answer
                print(f"{name}: {answer}", flush=True)
    result["startup"] = startup(folder, options.repeats)
    result["throughput"] = [throughput(folder, articles, count) for count in options.counts]
    options.results.mkdir(parents=True, exist_ok=True)
    stem = options.results / f"speed-{manifest.reference.replace('@', '-')}"
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    stem.with_suffix(".svg").write_text(chart(systems), encoding="utf-8")
    print(table(result))
    print(f"{stem}.json, {stem}.svg")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", nargs="*", default=[str(ROOT / "seeds" / "articles")], help="as for `classify`")
    parser.add_argument("--model", help="checkpoint; the shipped one by default")
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many runs counts")
    parser.add_argument("--peer-sentences", type=int, default=400, help="how many of the sentences the slow peers get")
    parser.add_argument(
        "--counts", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="sentences of the long runs"
    )
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def our_seconds(folder: Path, device: str, articles: list[Any], repeats: int) -> float:
    """From articles to rows, tokenizing and splitting included; the median."""
    from stanceline.classifier import StanceClassifier

    classifier = StanceClassifier.from_pretrained(folder, device=device, cache=False)
    list(classifier.classify(articles[:2]))
    return statistics.median(timed(lambda: list(classifier.classify(articles))) for _ in range(repeats))


def timed(run) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def figures(sentences: int, tokens: int, seconds: float) -> dict[str, Any]:
    return {
        "sentences": sentences,
        "tokens": tokens,
        "seconds": round(seconds, 3),
        "sentences_per_s": round(sentences / seconds, 1),
        "tokens_per_s": round(tokens / seconds),
    }


def gemm_rate(folder: Path) -> float:
    """Multiply-adds a second in fp32 on all cores, over the shapes of the encoder's layers, weighted by their work."""
    import torch

    torch.set_num_threads(CORES)
    config = json.loads((folder / "config.json").read_text())
    hidden, inner, rows = config["hidden_size"], config["intermediate_size"], 320
    work = spent = 0.0
    for count, width, depth in ((4, hidden, hidden), (1, inner, hidden), (1, hidden, inner)):
        left, right = torch.randn(rows, depth), torch.randn(depth, width)
        torch.mm(left, right)
        seconds = statistics.median(
            timed(lambda a=left, b=right: [torch.mm(a, b) for _ in range(GEMM_REPEATS)]) for _ in range(7)
        )
        work += count * rows * width * depth
        spent += count * seconds / GEMM_REPEATS
    return work / spent


def macs(folder: Path, lengths: list[int]) -> float:
    """Multiply-adds of the encoder over windows of those lengths: projections, feed-forward and attention."""
    config = json.loads((folder / "config.json").read_text())
    hidden, inner, layers = (config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    return sum(layers * (length * (4 * hidden**2 + 2 * hidden * inner) + 2 * hidden * length**2) for length in lengths)


def agreement(fast, reference, articles: list[Any]) -> dict[str, Any]:
    """Share of the labels that the CPU's copy and fp32 give alike, a field each."""
    pairs = list(zip(fast.classify(articles), reference.classify(articles), strict=True))
    shares = {
        name: round(sum(a.fields[name].label == b.fields[name].label for a, b in pairs) / len(pairs), 4)
        for name in pairs[0][0].fields
    }
    return {"sentences": len(pairs), **shares}


def peers(scratch: Path, folder: Path, manifest, encoder, blocks, options) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each peer's figures; on fewer sentences, spread evenly, where there are many."""
    python = PEERS / ".venv" / "bin" / "python"
    if not python.exists():
        print(f"no peers: {python} is missing, `make bench-speed` makes it", file=sys.stderr)
        return
    items = list(sentences_with_context(blocks, encoder))
    items = items[:: max(1, len(items) // options.peer_sentences)][: options.peer_sentences]
    short, whole = scratch / "short.jsonl", scratch / "whole.jsonl"
    write_items(short, items, "before")
    write_items(whole, items[: max(1, len(items) // 4)], "window")
    descriptions = [target.description or target.name for target in manifest.scheme.targets]
    fields = str(len(manifest.scheme.fields))
    for name, file, arguments in (
        ("pipeline, default", short, ["pipeline"]),
        ("pipeline, batch_size=32", short, ["pipeline", "--batch-size", "32"]),
        ("pipeline, default, our whole window", whole, ["pipeline"]),
        ("pipeline, batch_size=32, our whole window", whole, ["pipeline", "--batch-size", "32"]),
        (f"SetFit, {fields} fields", short, ["setfit", "--fields", fields]),
        (f"CrossEncoder, {len(descriptions)} targets", short, ["cross-encoder", "--targets", *descriptions]),
    ):
        command = [str(python), str(PEERS / "speed.py"), *arguments, "--threads", str(CORES)]
        command += ["--encoder", str(folder), "--items", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name}: failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        answer = json.loads(done.stdout.splitlines()[-1])
        yield (
            name,
            {**figures(answer["sentences"], answer["tokens"], answer["seconds"]), "versions": answer["versions"]},
        )


def sentences_with_context(blocks, encoder) -> Iterator[dict[str, str]]:
    """Each sentence with the title and the sentence before it, and with all that its window holds."""
    for block in blocks:
        for window in block.windows:
            shown = encoder.tokenizer.decode(window.token_ids)
            for position in window.sentences:
                before = block.sentences[position - 1].text if position else ""
                yield {
                    "sentence": block.sentences[position].text,
                    "before": f"{block.article.title} {before}".strip(),
                    "window": shown,
                }


def write_items(path: Path, items: list[dict[str, str]], context: str) -> None:
    lines = (json.dumps({"sentence": item["sentence"], "context": item[context]}) for item in items)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def startup(folder: Path, repeats: int) -> dict[str, Any]:
    """Seconds from typing `stanceline classify one-article.txt` to the last row, and where they go."""
    article = str(sorted((ROOT / "seeds" / "articles").glob("*.txt"))[0])
    command = [sys.executable, "-m", "stanceline", "classify", article, "--model", str(folder), "--device", "cpu"]
    code = (
        "import time; began = time.perf_counter(); from stanceline.batch import Options, read_items\n"
        "from stanceline.classifier import StanceClassifier; marks = [('import', time.perf_counter() - began)]\n"
        f"items = list(read_items(({article!r},), Options())); marks.append(('read', time.perf_counter() - began))\n"
        f"classifier = StanceClassifier.from_pretrained({str(folder)!r}, device='cpu')\n"
        "marks.append(('load', time.perf_counter() - began)); list(classifier.classify(items))\n"
        "marks.append(('label', time.perf_counter() - began)); import json; print(json.dumps(marks))"
    )
    run = [sys.executable, "-c", code]
    whole = statistics.median(
        timed(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(repeats)
    )
    parts = [json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(repeats)]
    shares, last = {}, 0.0
    for place, (name, _) in enumerate(parts[0]):
        until = statistics.median(part[place][1] for part in parts)
        shares[name], last = round(until - last, 3), until
    return {"seconds": round(whole, 3), "parts": shares}


def throughput(folder: Path, articles: list[Any], count: int) -> dict[str, Any]:
    """Rate and peak memory of one whole run of the command over at least `count` sentences."""
    code = (
        "import json, re, sys, time\n"
        "from stanceline import batch\n"
        "from pathlib import Path\n"
        "request = batch.Request((sys.argv[1],), model=sys.argv[2], device='cpu', cache=False)\n"
        "began = time.perf_counter()\n"
        "done = batch.classify_corpus(request, batch.Destination(Path(sys.argv[3])), report=lambda step: None)\n"
        "seconds = time.perf_counter() - began\n"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "status = Path('/proc/self/status').read_text() if sys.platform == 'linux' else 'VmHWM: 0'\n"
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) / 1024\n"
        "print(json.dumps({'sentences': done.rows, 'seconds': seconds, 'peak_mb': round(peak)}))"
    )
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "articles.jsonl"
        write_corpus(table, articles, count)
        command = [sys.executable, "-c", code, str(table), str(folder), str(Path(scratch) / "out.jsonl")]
        done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {
        **done,
        "seconds": round(done["seconds"], 1),
        "sentences_per_s": round(done["sentences"] / done["seconds"], 1),
    }


def write_corpus(path: Path, articles: list[Any], count: int) -> None:
    """The articles, again and again under new ids, until they hold `count` sentences."""
    from stanceline.sentences import split_sentences

    split = [article.sentences or list(split_sentences(article.text)) for article in articles]
    lines = [json.dumps([s.text for s in sentences]) for sentences in split]
    written, number = 0, 0
    with path.open("w", encoding="utf-8") as file:
        while written < count:
            place = number % len(articles)
            title = json.dumps(articles[place].title)
            file.write(f'{{"article_id": "{number}", "title": {title}, "sentences": {lines[place]}}}\n')
            written += len(split[place])
            number += 1


def cpu_name() -> str:
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """Those that decide how fast 8-bit products are."""
    if not Path("/proc/cpuinfo").exists():
        return []
    words = set(Path("/proc/cpuinfo").read_text().split())
    return [flag for flag in ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8") if flag in words]


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown, with the goals."""
    ours = result["systems"]["ours, CPU"]["sentences_per_s"]
    lines = ["| system | sentences/s | tokens/s | ours is | goal |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, system in result["systems"].items():
        ratio = "" if name == "ours, CPU" else f"{ours / system['sentences_per_s']:.1f}x"
        goal = f"{GOALS[name]}x" if name in GOALS else ""
        lines.append(f"| {name} | {system['sentences_per_s']:,} | {system['tokens_per_s']:,} | {ratio} | {goal} |")
    startup = result["startup"]
    lines += ["", f"fp32 GEMM: {result['gemm_fp32_gmacs']} G multiply-adds/s; share of that bound (goal {BOUND_GOAL}):"]
    lines += [
        f"  {name}: {system['share_of_bound']}"
        for name, system in result["systems"].items()
        if "share_of_bound" in system
    ]
    lines.append(f"labels as fp32: {result['agreement_with_fp32']}")
    lines.append(f"one article from the shell: {startup['seconds']} s (goal {STARTUP_GOAL_S}): {startup['parts']}")
    lines += [
        f"{run['sentences']:,} sentences: {run['sentences_per_s']} a second, peak {run['peak_mb']} MB"
        for run in result["throughput"]
    ]
    return "\n".join(lines)


def chart(systems: dict[str, dict[str, Any]]) -> str:
    """Sentences a second as bars, in SVG."""
    width, bar, left = 720, 26, 290
    most = max(system["sentences_per_s"] for system in systems.values())
    rows = []
    for number, (name, system) in enumerate(systems.items()):
        y, length = 34 + number * (bar + 8), (width - left - 80) * system["sentences_per_s"] / most
        colour = "#1f6feb" if name.startswith("ours") else "#8b949e"
        rows.append(f'<text x="{left - 8}" y="{y + 18}" text-anchor="end">{name}</text>')
        rows.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar}" fill="{colour}"/>')
        rows.append(f'<text x="{left + length + 6:.1f}" y="{y + 18}">{system["sentences_per_s"]:,}</text>')
    height = 44 + len(systems) * (bar + 8)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<text x="8" y="20" font-weight="bold">Sentences a second on CPU</text>{"".join(rows)}</svg>\n'
    )


if __name__ == "__main__":
    main()
