"""Retraining, from the command line: replay and distillation, the gate, new targets, promotion, learning curves."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stanceline.checkpoint import read_manifest, sha256_of
from stanceline.classifier import StanceClassifier
from stanceline.gate import FieldVerdict, Gate, read_gate
from stanceline.label_files import write_examples
from stanceline.labels import LabelScheme, Target
from stanceline.promotion import promote
from stanceline.records import Article, Example
from stanceline.training_labels import LabelParts, seed_parts, seed_replay

SEEDS = Path(__file__).parent.parent / "seeds" / "labels.jsonl"
TINY = ("--device", "cpu", "--quiet", "--epochs", "1")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in folder.iterdir()}


@pytest.fixture
def mine(tmp_path: Path, few_train: list[Example], few_dev: list[Example], seed_scheme: LabelScheme) -> Path:
    """A user's labels: articles that are not the seeds' by name, and nothing of a split."""
    path = tmp_path / "mine.jsonl"
    renamed = [replace(e, article_id=f"my-{e.article_id}", split="") for e in (*few_train, *few_dev)]
    write_examples(path, renamed, seed_scheme.fields)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path) -> Path:
    """A user whose default is the tiny checkpoint."""
    monkeypatch.setenv("STANCELINE_HOME", str(tmp_path / "home"))
    promote(tiny_checkpoint)
    return tmp_path / "home"


def test_the_default_base_is_the_checkpoint_in_use_with_replay_distillation_and_a_gate(
    stanceline, home: Path, mine: Path, tmp_path: Path, tiny_checkpoint: Path
):
    before = hashes(tiny_checkpoint)
    status, out, err = stanceline("train", mine, "-o", tmp_path / "new", *TINY)
    assert (status, err) == (0, "")
    old, new = read_manifest(tiny_checkpoint), read_manifest(tmp_path / "new")
    assert new.base == old.reference
    recipe = json.loads((tmp_path / "new" / "recipe.json").read_text())
    assert (recipe["replay"], recipe["loss"]["distillation"]) == (1.0, 0.5)
    assert f"{new.reference} against {old.reference}" in out
    assert "on the dev labels, by which the best step was chosen" in out
    assert "on the test split of the seeds" in out
    gate = read_gate(tmp_path / "new")
    assert gate is not None
    assert {c.field for c in gate.seeds} == {field.name for field in new.scheme.fields}
    assert hashes(tiny_checkpoint) == before


def test_a_plain_encoder_has_nothing_to_replay_or_to_be_compared_with(
    stanceline, home: Path, mine: Path, tmp_path: Path, tiny_encoder: Path
):
    status, out, _ = stanceline("train", mine, "--base", tiny_encoder, "-o", tmp_path / "new", *TINY, "--tensorboard")
    assert status == 0
    assert "against" not in out
    assert read_gate(tmp_path / "new") is None
    assert list((tmp_path / "new.run" / "tensorboard").glob("events*"))
    status, _, err = stanceline("train", mine, "--base", tiny_encoder, "-o", tmp_path / "other", *TINY, "--replay", "1")
    assert (status, "need a checkpoint to start from" in err) == (1, True)


def test_rows_for_test_are_held_out_and_decide(stanceline, home, tmp_path, few_train, few_dev, seed_scheme):
    examples = [replace(e, split="train") for e in few_train]
    examples += [replace(e, article_id=f"{e.article_id}-{e.sentence_index % 2}") for e in few_dev]
    examples = [replace(e, split="test") if e.article_id.endswith("-1") else e for e in examples]
    write_examples(tmp_path / "mine.jsonl", examples, seed_scheme.fields)
    status, out, _ = stanceline("train", tmp_path / "mine.jsonl", "-o", tmp_path / "new", *TINY, "--replay", "0")
    assert status == 0
    assert "on the held-out labels" in out
    gate = read_gate(tmp_path / "new")
    assert gate is not None
    assert gate.held_out[0].sentences == sum(e.split == "test" for e in examples)


def test_a_new_target_gets_a_head_and_leaves_the_others_alone(
    stanceline, home: Path, tmp_path: Path, few_train, few_dev, tiny_checkpoint: Path
):
    (tmp_path / "targets.toml").write_text('[ocean_treaty]\ndescription = "A treaty on the high seas."\n')
    rows = [
        replace(e, article_id=f"my-{e.article_id}", split="", labels={"ocean_treaty": ("none", "favor")[n % 2]})
        for n, e in enumerate((*few_train, *few_dev))
    ]
    scheme = LabelScheme((Target("ocean_treaty"),), sentiment=False)
    write_examples(tmp_path / "mine.jsonl", rows, scheme.fields)
    arguments = ("--targets", tmp_path / "targets.toml", "-o", tmp_path / "new", *TINY)
    status, out, _ = stanceline("train", tmp_path / "mine.jsonl", *arguments, "--learning-rate", "1e-5")
    assert status == 0
    assert re.search(r"ocean_treaty: f1_macro   -   -> 0\.\d+ on \d+ sentences: new field", out)
    gate = read_gate(tmp_path / "new")
    assert gate is not None
    assert {c.field: c.verdict for c in gate.seeds if c.verdict == "worse"} == {}
    classifier = StanceClassifier.from_pretrained(tmp_path / "new")
    (prediction,) = classifier.classify([Article("a", text="Sign the treaty.")])
    assert set(prediction.fields) == {"western_policy", "global_security_proposals", "ocean_treaty", "sentiment"}
    old = StanceClassifier.from_pretrained(tiny_checkpoint)
    (before,) = old.classify([Article("a", text="Sign the treaty.")])
    for name, field in before.fields.items():
        assert prediction.fields[name].probabilities == pytest.approx(field.probabilities, abs=0.1)


def test_zero_shot_is_refused_with_the_reason(stanceline):
    status, _, err = stanceline("train", "--zero-shot")
    assert status == 2
    assert "the model does not read descriptions" in err


TEXT = "article_id,sentence_index,text,sentiment\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no rows"),
        (TEXT, "holds no rows"),
        (
            TEXT + "a,0,Yes.,glad\n",
            "mine.csv line 2: 'glad' is not a sentiment; use one of positive, neg",
        ),
        ("article_id,sentence_index,sentiment\na,0,neutral\n", "no column 'text'"),
        (TEXT + "a,0,Yes.,neutral\nb,0,No.,negative\nc,0,Well.,neutral\n", "at least 8 are needed"),
        (TEXT + "".join(f"a{n},0,Yes {n}.,neutral\n" for n in range(60)), "sentiment: all train labels are 'neutral'"),
        (
            TEXT.replace("sentiment", "sentiment,western_policies") + "a,0,Yes.,neutral,favor\n",
            "columns western_policies look like labels but are no target",
        ),
        (TEXT + "".join(f"a,{n},Yes.,neutral\n" for n in range(9)), "there is no labelled sentence in the dev part"),
    ],
)
def test_bad_labels_are_one_line_before_any_training(stanceline, home, tmp_path: Path, content: str, message: str):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    status, _, err = stanceline("train", path, "-o", tmp_path / "new")
    assert status == 1
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("new*"))


def test_a_sentence_in_train_and_dev_is_one_line(stanceline, home: Path, mine: Path, tmp_path: Path):
    status, _, err = stanceline("train", mine, "--dev", mine, "-o", tmp_path / "new")
    assert status == 1
    assert "articles are in both train and dev" in err
    assert not list(tmp_path.glob("new*"))


def test_a_target_without_labels_is_one_line(stanceline, home: Path, mine: Path, tmp_path: Path):
    (tmp_path / "targets.toml").write_text('[ocean_treaty]\ndescription = "A treaty."\n')
    status, _, err = stanceline("train", mine, "--targets", tmp_path / "targets.toml", "-o", tmp_path / "new")
    assert status == 1
    assert "ocean_treaty: no sentence is labelled in it" in err


def test_a_base_that_is_no_encoder_is_one_line(stanceline, home: Path, mine: Path, tmp_path: Path):
    from transformers import GPT2Config

    GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=50).save_pretrained(tmp_path / "gpt2")
    status, _, err = stanceline("train", mine, "--base", tmp_path / "gpt2", "-o", tmp_path / "new", *TINY)
    assert (status, err.count("\n")) == (1, 1)
    assert "'gpt2' is not a text encoder" in err
    status, _, err = stanceline("train", mine, "--base", "./nowhere", "-o", tmp_path / "new", *TINY)
    assert (status, err.count("\n")) == (1, 1)
    assert not list(tmp_path.glob("new*"))


def test_replay_leaves_out_what_the_new_labels_hold(seed_examples, seed_scheme: LabelScheme):
    copied = [replace(e, article_id=f"my-{e.article_id}") for e in seed_examples if e.split == "train"][:200]
    parts = LabelParts(tuple(copied), (), ())
    replay = seed_replay(seed_scheme, parts, ratio=1.0, seed=0)
    assert len(replay.train) >= 200
    assert not {e.article_id.removeprefix("my-") for e in copied} & {e.article_id for e in replay.train}
    assert {e.split for e in replay.train} == {"train"}
    assert {e.split for e in replay.dev} == {"dev"}
    assert replay == seed_replay(seed_scheme, parts, ratio=1.0, seed=0)
    assert replay.train != seed_replay(seed_scheme, parts, ratio=1.0, seed=1).train
    assert not seed_replay(seed_scheme, parts, ratio=0.0, seed=0).train


def verdict(name: str) -> FieldVerdict:
    return FieldVerdict("sentiment", 50, 0.6, 0.5, -0.2, -0.05, name)


def copied(checkpoint: Path, folder: Path, name: str) -> Path:
    """The same checkpoint under another name, and so with another reference."""
    new = folder / name
    new.mkdir()
    for path in checkpoint.iterdir():
        (new / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((new / "stanceline.json").read_text())
    (new / "stanceline.json").write_text(json.dumps({**manifest, "name": name}))
    return new


def test_promote_refuses_what_is_worse_and_force_does_it(stanceline, home: Path, tmp_path: Path, tiny_checkpoint: Path):
    new = copied(tiny_checkpoint, tmp_path, "new")
    references = read_manifest(tiny_checkpoint).reference, read_manifest(new).reference
    Gate(*references, held_out=(), seeds=(verdict("worse"),), held_out_is_dev=False).save(new)
    status, out, err = stanceline("promote", new)
    assert status == 4
    assert "sentiment: f1_macro 0.600 -> 0.500 on 50 sentences, -0.100 (-0.200 to -0.050): worse" in out
    assert "refused, it is worse in sentiment" in err
    assert (home / "default-checkpoint").read_text().strip() == str(tiny_checkpoint)
    assert stanceline("promote", new, "--force")[0] == 0
    assert (home / "default-checkpoint").read_text().strip() == str(new)
    status, out, _ = stanceline("models", "list", tmp_path)
    assert f"* {references[1]}  promoted" in out
    assert stanceline("promote", "--shipped")[0] == 0
    assert not (home / "default-checkpoint").exists()


def test_a_comparison_with_another_default_is_not_believed(stanceline, home, tmp_path, tiny_checkpoint, mine):
    new = copied(tiny_checkpoint, tmp_path, "new")
    Gate("other@1", read_manifest(new).reference, (), (verdict("worse"),), held_out_is_dev=False).save(new)
    status, out, _ = stanceline("promote", new, "--to", tmp_path / "there", "--labels", mine, "--device", "cpu")
    assert status == 0  # it was compared anew, and is the same model
    assert "on the held-out labels" in out
    assert read_manifest(tmp_path / "there").name == "new"
    assert (home / "default-checkpoint").read_text().strip() == str(tiny_checkpoint)


def test_a_damaged_checkpoint_is_not_promoted(stanceline, home: Path, tmp_path: Path, tiny_checkpoint: Path):
    new = copied(tiny_checkpoint, tmp_path, "new")
    (new / "model.safetensors").write_bytes(b"x")
    status, _, err = stanceline("promote", new, "--force", "--device", "cpu")
    assert status == 1
    assert "damaged" in err


def test_promote_wants_one_thing(stanceline):
    assert stanceline("promote")[0] == 2
    assert stanceline("promote", "x", "--shipped")[0] == 2


def test_the_learning_curve_begins_with_the_base_and_ends_with_all_labels(
    stanceline, home: Path, mine: Path, tmp_path: Path
):
    arguments = ("-o", tmp_path / "curve", "--learning-curve", *TINY, "--replay", "0")
    assert stanceline("train", mine, *arguments)[0] == 0
    points = [json.loads(line) for line in (tmp_path / "curve" / "learning_curve.jsonl").read_text().splitlines()]
    sizes = [point["sentences"] for point in points]
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert len(sizes) > 2
    assert set(points[-1]["scores"]) == {"western_policy", "global_security_proposals", "sentiment"}
    svg = (tmp_path / "curve" / "learning_curve.svg").read_text()
    assert svg.count("<polyline") == 3
    assert sorted(path.name for path in (tmp_path / "curve").iterdir()) == [
        "learning_curve.jsonl",
        "learning_curve.svg",
    ]


def test_the_seeds_are_whole_in_their_parts(seed_scheme: LabelScheme, seed_examples):
    parts = seed_parts(seed_scheme)
    assert sum(map(len, parts.values())) == len(seed_examples)
