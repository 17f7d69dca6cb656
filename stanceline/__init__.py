"""Stance toward configurable targets, and sentiment, for each sentence of an article.

from stanceline import StanceClassifier

for prediction in StanceClassifier.from_pretrained().classify_text(text):
    print(prediction.text, prediction.fields["western_policy"].label)
"""

from typing import TYPE_CHECKING, Any

from stanceline._version import __version__
from stanceline.errors import StancelineError
from stanceline.records import Article, Example, FieldPrediction, Prediction, Sentence

if TYPE_CHECKING:
    from stanceline.classifier import StanceClassifier

__all__ = [
    "Article",
    "Example",
    "FieldPrediction",
    "Prediction",
    "Sentence",
    "StanceClassifier",
    "StancelineError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # The classifier needs numpy and tokenizers; the records and the command line's help do not.
    if name == "StanceClassifier":
        from stanceline.classifier import StanceClassifier

        return StanceClassifier
    raise AttributeError(f"module 'stanceline' has no attribute {name!r}")
