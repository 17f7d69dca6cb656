"""The starting checkpoint as a teacher: what it says of the training text is kept where no label says otherwise."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import torch

from stanceline.bases import Base
from stanceline.classifier import softmax
from stanceline.fine_tuning import score_articles
from stanceline.runtime import TorchEngine
from stanceline.training_data import IGNORED, TrainingArticle


def with_teacher(
    articles: Sequence[TrainingArticle], base: Base, device: torch.device, *, replayed: Collection[str] = ()
) -> list[TrainingArticle]:
    """Articles with the probabilities of `base`, as it is before it is trained.

    A new label overrules the teacher, so that a correction is not held back by what it corrects; in a replayed
    article there is nothing to correct, and both count. A head that is new teaches nothing.

    Args:
        articles: The training articles.
        base: What the training starts from.
        device: Where to compute.
        replayed: Ids of the articles that are no new labels.
    """
    if not articles or not base.trained_fields:
        return list(articles)
    logits = score_articles(TorchEngine(base.model, base.encoder, device), base.encoder, articles)
    trained = [field.name in base.trained_fields for field in base.scheme.fields]
    taught = []
    start = 0
    for article in articles:
        rows = slice(start, start + len(article.examples))
        start = rows.stop
        overruled = article.gold != IGNORED  # (N, F)
        if article.examples[0].article_id in replayed:
            overruled = np.zeros_like(overruled)
        parts = [
            softmax(scores[rows]) * (is_trained & ~overruled[:, column])[:, None]
            for column, (scores, is_trained) in enumerate(zip(logits, trained, strict=True))
        ]
        taught.append(replace(article, soft=np.concatenate(parts, axis=1).astype(np.float32)))
    return taught
