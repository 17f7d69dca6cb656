"""Fixtures for everybody: no network, no data folder of the user, and a tiny real encoder and checkpoint.

The tiny models are built from a configuration and trained for seconds; their scores mean nothing, but nothing of
torch or transformers is mocked.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports the hub's client, which reads them once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from stanceline.label_files import read_examples
from stanceline.labels import LabelScheme, read_targets
from stanceline.records import Example

SEEDS = Path(__file__).parent.parent / "seeds"


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A data folder of the tests' own: what the user promoted must not decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANCELINE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def seed_scheme() -> LabelScheme:
    """The fields of the seeds: both shipped targets and the sentiment."""
    return LabelScheme(read_targets(SEEDS / "targets.toml"))


@pytest.fixture(scope="session")
def seed_examples(seed_scheme: LabelScheme) -> tuple[Example, ...]:
    """All seed sentences, in the order of the file."""
    names = [target.name for target in seed_scheme.targets]
    return read_examples([SEEDS / "labels.jsonl"], targets=names).examples


@pytest.fixture(scope="session")
def few_train(seed_examples: tuple[Example, ...]) -> list[Example]:
    """About 60 seed sentences to train on, whole articles."""
    return whole_articles(seed_examples, "train", 60)


@pytest.fixture(scope="session")
def few_dev(seed_examples: tuple[Example, ...]) -> list[Example]:
    """About 30 seed sentences of other articles."""
    return whole_articles(seed_examples, "dev", 30)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, seed_examples: tuple[Example, ...]) -> Path:
    """A folder with a BERT of 2 layers, 32 hidden units and random weights, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder") / "tiny-bert"
    tokenizer = word_piece_tokenizer([example.text for example in seed_examples[:400]])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_encoder: Path,
    few_train: list[Example],
    few_dev: list[Example],
    seed_scheme: LabelScheme,
) -> Path:
    """A whole checkpoint (safetensors, ONNX, card) of the tiny encoder, trained for one epoch. Never change it."""
    from stanceline.config import Recipe
    from stanceline.training import train

    output = tmp_path_factory.mktemp("checkpoint") / "tiny"
    train(few_train, few_dev, seed_scheme, base=tiny_encoder, output=output, recipe=Recipe(epochs=1.0), device="cpu")
    return output


def whole_articles(examples: tuple[Example, ...], split: str, count: int) -> list[Example]:
    """The first articles of a split, until they hold `count` sentences."""
    chosen: list[Example] = []
    for example in examples:
        if example.split != split:
            continue
        if len(chosen) >= count and example.article_id != chosen[-1].article_id:
            break
        chosen.append(example)
    return chosen


def word_piece_tokenizer(texts: list[str]):
    """A WordPiece tokenizer of 2,000 pieces in the manner of BERT, learned from `texts`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=2000, special_tokens=[special[n] for n in ("pad", "unk", "cls", "sep", "mask")], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in special.items()}
    )


@pytest.fixture
def stanceline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command line in this process: `status, out, err = stanceline("labels", "check", path)`."""
    from stanceline.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["stanceline", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return run
