"""Averages the weights of checkpoints of one line of training, and writes the mean as a checkpoint of its own.

    python train/average.py CHECKPOINT... --dev DEV --trained-on N --notes FILE -o OUTPUT

A uniform soup (Wortsman et al. 2022, Model soups, https://arxiv.org/abs/2203.05482); it is calibrated on dev. The
recipe that it keeps is that of the last checkpoint.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from stanceline import checkpoint
from stanceline.bases import load_base
from stanceline.config import ModelConfig, Recipe, from_mapping
from stanceline.label_files import group_articles, read_examples
from stanceline.runtime import load_model
from stanceline.training import write_checkpoint
from stanceline.training_data import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--dev", type=Path, required=True, help="labels to calibrate on")
    parser.add_argument("--trained-on", type=int, required=True, help="labelled sentences, for the card")
    parser.add_argument("--notes", type=Path, required=True, help="prose for the card")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    manifests = [checkpoint.read_manifest(folder) for folder in given.checkpoints]
    states = [load_model(*pair).state_dict() for pair in zip(given.checkpoints, manifests, strict=True)]
    mean = {
        name: sum(state[name] for state in states) / len(states) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }
    parts = load_base(given.checkpoints[0], manifests[0].scheme, ModelConfig())
    parts.model.load_state_dict(mean)
    recipe_file = given.checkpoints[-1] / checkpoint.RECIPE
    recipe = from_mapping(Recipe, json.loads(recipe_file.read_text(encoding="utf-8")), str(recipe_file))
    described = "the mean of the weights of " + ", ".join(manifest.reference for manifest in manifests)
    examples = read_examples([given.dev], targets=[target.name for target in parts.scheme.targets]).examples
    dev = prepare(group_articles(examples), parts.encoder, parts.scheme)
    trained = write_checkpoint(
        replace(parts, description=described),
        dev,
        dev,
        checkpoint.staging_folder(given.output),
        given.output,
        recipe,
        given.notes.read_text(encoding="utf-8"),
        (given.trained_on, len(examples)),
    )
    print(f"{trained.manifest.reference}: {trained.scores}")


if __name__ == "__main__":
    main()
