"""What a training may start from: any encoder of transformers, a checkpoint, and nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import word_piece_tokenizer

from stanceline.bases import load_base
from stanceline.checkpoint import TOKENIZER, find_base
from stanceline.config import ModelConfig, Recipe
from stanceline.errors import CheckpointError, ConfigError
from stanceline.labels import LabelScheme, Target
from stanceline.model import max_positions
from stanceline.records import Example
from stanceline.runtime import TorchEngine
from stanceline.training import train

SMALL = ModelConfig(max_length=64, title_length=12)


def encoder_folder(kind: str, folder: Path, texts: list[str]) -> Path:
    """A folder with a tiny encoder of a family, with random weights."""
    from transformers import (
        BertConfig,
        BertModel,
        DebertaV2Config,
        DebertaV2Model,
        DistilBertConfig,
        DistilBertModel,
        ModernBertConfig,
        ModernBertModel,
        RobertaConfig,
        RobertaModel,
    )

    tokenizer = word_piece_tokenizer(texts)
    shape = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"intermediate_size": 64, "max_position_embeddings": 130, "pad_token_id": tokenizer.pad_token_id}
    modern = {
        "cls_token_id": 2,
        "sep_token_id": 3,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "reference_compile": False,
        "attn_implementation": "sdpa",
    }
    distil = {"vocab_size": len(tokenizer), "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
    torch.manual_seed(0)
    models = {
        "bert": lambda: BertModel(BertConfig(**shape), add_pooling_layer=False),
        "roberta": lambda: RobertaModel(RobertaConfig(**shape), add_pooling_layer=False),
        "deberta-v2": lambda: DebertaV2Model(
            DebertaV2Config(**shape, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16)
        ),
        "modernbert": lambda: ModernBertModel(ModernBertConfig(**shape, **modern)),
        "distilbert": lambda: DistilBertModel(DistilBertConfig(**distil, max_position_embeddings=130)),
    }
    models[kind]().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["bert", "roberta", "deberta-v2", "modernbert", "distilbert"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory, few_train: list[Example]) -> Path:
    folder = tmp_path_factory.mktemp("bases") / request.param
    return encoder_folder(request.param, folder, [example.text for example in few_train])


def test_padding_does_not_change_scores(encoder: Path, seed_scheme: LabelScheme):
    base = load_base(encoder, seed_scheme, SMALL)
    ids = base.encoder.tokenize(["Peace talks.", "The alliance will send further brigades to the north."])
    short = base.encoder.windows([ids[0]])
    long = base.encoder.windows([ids[1]] * 4)
    engine = TorchEngine(base.model, base.encoder, torch.device("cpu"))
    alone, together = next(iter(engine.run(short))), next(iter(engine.run([*short, *long])))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_every_family_is_trained_saved_and_loaded(encoder: Path, few_train, few_dev, seed_scheme, tmp_path: Path):
    from stanceline.classifier import StanceClassifier

    recipe = Recipe(epochs=1.0, batch_sentences=16, model=SMALL)
    train(few_train, few_dev, seed_scheme, base=encoder, output=tmp_path / "new", recipe=recipe, device="cpu")
    texts = "The ceasefire offer deserves support. Sanctions have failed, and nobody admits it."
    int8 = StanceClassifier.from_pretrained(tmp_path / "new", device="cpu").classify_text(texts)
    full = StanceClassifier.from_pretrained(tmp_path / "new", device="torch").classify_text(texts)
    for a, b in zip(int8, full, strict=True):
        for name, prediction in a.fields.items():
            assert prediction.probabilities == pytest.approx(b.fields[name].probabilities, abs=0.05)


def test_a_window_is_never_longer_than_the_encoder_can_read(tmp_path: Path, few_train, seed_scheme):
    folder = encoder_folder("roberta", tmp_path / "roberta", [e.text for e in few_train])
    base = load_base(folder, seed_scheme, ModelConfig(max_length=512, title_length=12))
    assert base.config.max_length == 129  # of 130 positions one lies before the first
    window = base.encoder.windows([list(range(5, 2000))])[0]
    assert list(TorchEngine(base.model, base.encoder, torch.device("cpu")).run([window]))


def test_positions_that_an_encoder_keeps_for_padding_are_not_counted():
    from transformers import BertConfig, MPNetConfig

    assert max_positions(MPNetConfig(max_position_embeddings=514)) == 512
    assert max_positions(BertConfig(max_position_embeddings=512)) == 512


def test_a_decoder_is_refused(tmp_path: Path, seed_scheme: LabelScheme):
    from transformers import GPT2Config

    GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=50).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="'gpt2' is not a text encoder"):
        load_base(tmp_path, seed_scheme, ModelConfig())


def test_an_encoder_that_lacks_weights_is_refused_rather_than_drawn_at_random(
    tiny_encoder: Path, tmp_path: Path, seed_scheme: LabelScheme
):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "gaps"
    shutil.copytree(tiny_encoder, folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "layer.1" in name)
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"its weights lack 1 tensors, such as encoder\.layer\.1"):
        load_base(folder, seed_scheme, SMALL)


def test_a_folder_without_a_model_is_refused(tmp_path: Path, seed_scheme: LabelScheme):
    with pytest.raises(CheckpointError, match="neither a checkpoint nor an encoder"):
        load_base(tmp_path, seed_scheme, ModelConfig())


def test_a_folder_that_is_not_there_is_told_from_a_hub_name():
    with pytest.raises(CheckpointError, match="no such folder"):
        find_base("./models/nowhere")
    assert find_base("some-old-hub-name") is None


def test_a_checkpoint_is_told_from_an_encoder(tiny_checkpoint: Path, tiny_encoder: Path):
    assert find_base(tiny_checkpoint) == tiny_checkpoint
    assert find_base(tiny_encoder) is None


def test_a_checkpoint_with_another_tokenizer_is_no_base(
    tiny_checkpoint: Path, tmp_path: Path, seed_scheme: LabelScheme
):
    folder = tmp_path / "changed"
    shutil.copytree(tiny_checkpoint, folder)
    tokenizer = folder / TOKENIZER
    tokenizer.write_text(tokenizer.read_text().replace('"the"', '"eth"'))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: damaged"):
        load_base(folder, seed_scheme, ModelConfig())


def test_a_checkpoint_keeps_its_heads_and_gets_new_ones(tiny_checkpoint: Path, seed_scheme: LabelScheme):
    added = LabelScheme((Target("ocean_treaty", "A treaty on the high seas."),), sentiment=False)
    old = load_base(tiny_checkpoint, seed_scheme, ModelConfig())
    new = load_base(tiny_checkpoint, added, ModelConfig())
    assert [f.name for f in new.scheme.fields] == [
        "western_policy",
        "global_security_proposals",
        "ocean_treaty",
        "sentiment",
    ]
    assert new.trained_fields == {"western_policy", "global_security_proposals", "sentiment"}
    for name in new.trained_fields:
        for a, b in zip(old.model.heads[name].parameters(), new.model.heads[name].parameters(), strict=True):
            assert torch.equal(a, b)
