"""Training: what it learns, that it repeats itself, and what becomes of bad labels and full disks."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stanceline import run_state
from stanceline.bases import load_base
from stanceline.checkpoint import read_manifest
from stanceline.classifier import StanceClassifier
from stanceline.config import AugmentConfig, LossConfig, ModelConfig, OptimizerConfig, Recipe
from stanceline.distillation import with_teacher
from stanceline.errors import ConfigError, LabelError, OutputError
from stanceline.fine_tuning import FineTuning, batch_loss
from stanceline.label_files import group_articles
from stanceline.labels import LabelScheme, Target
from stanceline.records import Article, Example
from stanceline.training import train
from stanceline.training_checks import check_trainable
from stanceline.training_data import collate, epoch_steps, prepare

QUICK = Recipe(epochs=1.0, batch_sentences=16)
TARGETS = LabelScheme((Target("western_policy"), Target("global_security_proposals")))

# Short, so that the same ones may stand in train and in dev: what is tested is that they are learned.
EIGHT = [
    ("NATO kept the peace here.", "favor", "none", "positive"),
    ("The sanctions were plain theft.", "against", "none", "negative"),
    ("Brussels published its annual review.", "neutral", "none", "neutral"),
    ("Snow fell on the harbour.", "none", "none", "neutral"),
    ("We welcome the truce plan warmly.", "none", "favor", "positive"),
    ("That peace plan is a trap.", "none", "against", "negative"),
    ("The treaty has nine articles.", "none", "neutral", "neutral"),
    ("What a lovely spring morning!", "none", "none", "positive"),
]


def rows(prefix: str, texts=EIGHT) -> list[Example]:
    return [
        Example(
            f"{prefix}-{number}",
            0,
            text,
            {"western_policy": west, "global_security_proposals": proposals, "sentiment": sentiment},
        )
        for number, (text, west, proposals, sentiment) in enumerate(texts)
    ]


def weights_of(folder: Path) -> dict[str, str]:
    manifest = read_manifest(folder)
    return {name: digest for name, digest in manifest.files.items() if name.endswith(".safetensors")}


def test_training_overfits_eight_examples_and_survives_save(tiny_encoder: Path, tmp_path: Path):
    recipe = Recipe(
        epochs=60.0,
        batch_sentences=8,
        model=ModelConfig(dropout=0.0),
        optimizer=OptimizerConfig(learning_rate=2e-3, head_learning_rate=5e-3),
        loss=LossConfig(label_smoothing=0.0),
    )
    train(rows("train"), rows("dev"), TARGETS, base=tiny_encoder, output=tmp_path / "new", recipe=recipe, device="cpu")
    classifier = StanceClassifier.from_pretrained(tmp_path / "new", device="cpu")
    for example in rows("dev"):
        (prediction,) = classifier.classify([Article("a", text=example.text)])
        assert {name: field.label for name, field in prediction.fields.items()} == example.labels


def test_two_runs_agree_bit_for_bit_and_another_seed_does_not(tiny_encoder, few_train, few_dev, seed_scheme, tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        recipe = replace(QUICK, seed=seed)
        train(
            few_train,
            few_dev,
            seed_scheme,
            base=tiny_encoder,
            output=tmp_path / name,
            recipe=recipe,
            device="cpu",
        )
    assert weights_of(tmp_path / "one") == weights_of(tmp_path / "two")
    logs = [(tmp_path / f"{name}.run" / "log.jsonl").read_text() for name in ("one", "two")]
    first, second = ([{**json.loads(line), "seconds": 0} for line in log.splitlines()] for log in logs)
    assert first == second
    assert weights_of(tmp_path / "one") != weights_of(tmp_path / "other")


def test_a_batch_stays_within_its_budget_of_tokens(tiny_encoder: Path, few_train, seed_scheme):
    base = load_base(tiny_encoder, seed_scheme, ModelConfig())
    articles = prepare(group_articles(few_train), base.encoder, seed_scheme)
    recipe = Recipe(batch_tokens=300)
    steps = epoch_steps(articles, base.encoder, recipe, 0)
    for units in (units for step in steps for units in step):
        longest = max(len(window.token_ids) for _, window in units)
        assert len(units) == 1 or longest * len(units) <= 300
    seen = sorted((position, s) for step in steps for units in step for position, w in units for s in w.sentences)
    everything = [(p, s) for p, article in enumerate(articles) for s in range(len(article.token_ids))]
    assert sorted(set(seen)) == everything


def test_names_are_swapped_anew_in_each_epoch_and_every_sentence_stays(tiny_encoder: Path, seed_scheme: LabelScheme):
    base = load_base(tiny_encoder, seed_scheme, ModelConfig())
    named = [replace(example, text=f"Russia met China. {example.text}") for example in rows("a")]
    articles = prepare(group_articles(named), base.encoder, seed_scheme)
    recipe = Recipe(augment=AugmentConfig(cut_probability=0.0, swap_names_probability=1.0))

    def texts(epoch: int) -> list[list[int]]:
        steps = epoch_steps(articles, base.encoder, recipe, epoch)
        units = sorted((unit for step in steps for units in step for unit in units), key=lambda unit: unit[0])
        assert [position for position, _ in units] == list(range(len(articles)))
        return [window.token_ids for _, window in units]

    assert texts(0) == texts(0)
    assert len({str(texts(epoch)) for epoch in range(6)}) > 1


def test_a_missing_label_costs_nothing(tiny_encoder: Path, seed_scheme: LabelScheme):
    base = load_base(tiny_encoder, seed_scheme, ModelConfig())
    without = [replace(example, labels={}) for example in rows("a")]
    articles = prepare(group_articles(without), base.encoder, seed_scheme)
    units = epoch_steps(articles, base.encoder, Recipe(), 0)[0][0]
    batch = collate(units, articles, base.encoder)
    outputs = base.model(
        *(torch.from_numpy(a) for a in (batch.inputs.input_ids, batch.inputs.attention_mask, batch.inputs.spans))
    )
    ones = [torch.ones(len(field.labels)) for field in seed_scheme.fields]
    assert float(batch_loss(outputs, batch, ones, LossConfig()).detach()) == 0


def test_training_stops_early_and_keeps_the_best_step(tiny_encoder, few_train, few_dev, seed_scheme, tmp_path):
    still = OptimizerConfig(learning_rate=0.0, head_learning_rate=0.0)
    recipe = Recipe(epochs=9.0, patience=2, optimizer=still)
    trained = train(
        few_train, few_dev, seed_scheme, base=tiny_encoder, output=tmp_path / "new", recipe=recipe, device="cpu"
    )
    log = [json.loads(line) for line in (tmp_path / "new.run" / "log.jsonl").read_text().splitlines()]
    assert len(log) == 3  # one that is the best so far, and two without gain
    assert trained is not None
    assert set(trained.scores) == {"western_policy", "global_security_proposals", "sentiment"}


def test_the_best_weights_are_left_in_the_model(tiny_encoder, few_train, few_dev, seed_scheme, tmp_path, monkeypatch):
    scores = iter([0.4, 0.9, 0.1, 0.9])
    kept: list[dict[str, torch.Tensor]] = []

    def evaluate(engine, *others):
        kept.append({name: tensor.clone() for name, tensor in engine.model.state_dict().items()})
        return {"mean": next(scores)}

    monkeypatch.setattr("stanceline.fine_tuning.evaluate", evaluate)
    base = load_base(tiny_encoder, seed_scheme, ModelConfig())
    train_articles, dev_articles = (prepare(group_articles(p), base.encoder, seed_scheme) for p in (few_train, few_dev))
    loop = FineTuning(
        base.model, base.encoder, seed_scheme, Recipe(epochs=3.0), device=torch.device("cpu"), folder=tmp_path
    )
    loop.fit(train_articles, dev_articles)
    for name, tensor in base.model.state_dict().items():
        assert torch.equal(tensor, kept[1][name])


def test_fields_without_new_labels_keep_their_calibration(tiny_checkpoint, few_train, few_dev, seed_scheme, tmp_path):
    def only_sentiment(examples: list[Example]) -> list[Example]:
        return [replace(e, labels={"sentiment": e.labels["sentiment"]}) for e in examples]

    new = tmp_path / "new"
    scheme = LabelScheme((), sentiment=True)
    train(
        only_sentiment(few_train),
        only_sentiment(few_dev),
        scheme,
        base=tiny_checkpoint,
        output=new,
        recipe=QUICK,
        device="cpu",
    )
    before, after = read_manifest(tiny_checkpoint).calibration, read_manifest(new).calibration
    for name in ("western_policy", "global_security_proposals"):
        assert after.temperatures[name] == before.temperatures[name]
        assert after.confusion[name] == before.confusion[name]


def test_a_label_overrules_the_teacher_except_in_replay(tiny_checkpoint: Path, seed_scheme: LabelScheme):
    added = LabelScheme((*seed_scheme.targets, Target("ocean_treaty")))
    base = load_base(tiny_checkpoint, added, ModelConfig())
    stances = [replace(e, labels={"western_policy": e.labels["western_policy"]}) for e in rows("a")]
    articles = prepare(group_articles(stances), base.encoder, base.scheme)
    taught = with_teacher(articles, base, torch.device("cpu"), replayed={"a-7"})
    for article in taught:
        assert article.soft is not None
        west, proposals, ocean, sentiment = np.split(article.soft[0], [4, 8, 12])
        assert west.sum() == pytest.approx(1.0 if article.examples[0].article_id == "a-7" else 0.0)
        assert proposals.sum() == pytest.approx(1.0)
        assert ocean.sum() == 0.0  # its head is new
        assert sentiment.sum() == pytest.approx(1.0)


def test_a_failure_to_write_leaves_no_checkpoint_and_can_be_made_good(
    tiny_checkpoint, few_train, few_dev, seed_scheme, tmp_path
):
    import resource

    before = weights_of(tiny_checkpoint)
    arguments = {"base": tiny_checkpoint, "output": tmp_path / "new", "recipe": QUICK, "device": "cpu"}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(path.stat().st_size for path in tiny_checkpoint.iterdir() if path.suffix == ".safetensors")
    # As on a full disk, no file can grow beyond that; the state of the run, three times as large, cannot either.
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, hard))
    try:
        with pytest.raises(OutputError, match=r"best\.safetensors: cannot be written: .*--resume"):
            train(few_train, few_dev, seed_scheme, **arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.run"]
    assert not list((tmp_path / "new.run").glob("*.partial"))
    train(few_train, few_dev, seed_scheme, **arguments, resume=True)
    assert read_manifest(tmp_path / "new")
    assert weights_of(tiny_checkpoint) == before


def test_a_full_disk_while_the_checkpoint_is_saved_leaves_nothing_under_its_name(
    tiny_encoder, few_train, few_dev, seed_scheme, tmp_path, monkeypatch
):
    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    arguments = {"base": tiny_encoder, "output": tmp_path / "new", "recipe": QUICK, "device": "cpu"}
    with monkeypatch.context() as patch:
        patch.setattr("stanceline.training.export_cpu", full)
        with pytest.raises(OutputError, match="No space left on device; mend that, then go on with --resume"):
            train(few_train, few_dev, seed_scheme, **arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.run"]
    train(few_train, few_dev, seed_scheme, **arguments, resume=True)
    assert read_manifest(tmp_path / "new")


def test_a_disk_that_is_too_small_is_told_before_training(
    tiny_encoder, few_train, few_dev, seed_scheme, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(run_state.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OutputError, match="0 MB are free on that disk"):
        train(few_train, few_dev, seed_scheme, base=tiny_encoder, output=tmp_path / "new", recipe=QUICK)
    assert not list(tmp_path.iterdir())


def test_an_existing_output_is_never_overwritten(tiny_checkpoint, few_train, few_dev, seed_scheme):
    with pytest.raises(OutputError, match="never overwritten"):
        train(few_train, few_dev, seed_scheme, base=tiny_checkpoint, output=tiny_checkpoint, recipe=QUICK)


def test_an_encoder_without_weights_of_a_run_cannot_be_resumed(tiny_encoder, few_train, few_dev, seed_scheme, tmp_path):
    with pytest.raises(OutputError, match="no interrupted run to resume"):
        train(few_train, few_dev, seed_scheme, base=tiny_encoder, output=tmp_path / "new", recipe=QUICK, resume=True)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "there is no labelled sentence in the train part"),
        (rows("a")[:3], "only 3 labelled sentences are left to train on, at least 8 are needed"),
        (
            [replace(e, labels={**e.labels, "western_policy": "none"}) for e in rows("a")],
            "western_policy: all train labels are 'none'",
        ),
        (
            [replace(e, labels={"western_policy": e.labels["western_policy"]}) for e in rows("a")],
            "global_security_proposals: no sentence is labelled in it",
        ),
        (rows("dev"), "8 articles are in both train and dev, such as 'dev-0'"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused(examples: list[Example], message: str):
    with pytest.raises(LabelError, match=message):
        check_trainable(examples, rows("dev"), TARGETS)


@pytest.mark.parametrize(
    "setting", [{"epochs": 0.0}, {"batch_tokens": 0}, {"patience": -1}, {"dev_fraction": 0.0}, {"replay": -1.0}]
)
def test_a_recipe_that_makes_no_sense_is_refused(setting: dict):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        Recipe(**setting)


def test_dev_without_labels_is_refused():
    unlabelled = [replace(example, labels={}) for example in rows("dev")]
    with pytest.raises(LabelError, match="no labelled sentence in the dev part"):
        check_trainable(rows("a"), unlabelled, TARGETS)


def test_a_longer_sentence_in_train_and_dev_is_refused_and_a_stock_phrase_is_not():
    text = "The ministers agreed that the proposed guarantees would be discussed again in the autumn session."
    twin = Example("b", 0, text, {"western_policy": "none"})
    with pytest.raises(
        LabelError, match="a sentence is in both train and dev: sentence 0 of 'b', and sentence 0 of 'c'"
    ):
        check_trainable([*rows("a"), twin], [replace(twin, article_id="c")], TARGETS)
    check_trainable(rows("a"), rows("dev"), TARGETS)
