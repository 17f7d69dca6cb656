"""How fast a peer labels sentences on this machine's CPU: one line of JSON on standard output.

The heads are untrained: they cost the same, and only the time is of interest. `make bench-speed` calls it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("peer", choices=("pipeline", "setfit", "cross-encoder"))
parser.add_argument("--encoder", required=True, help="folder of the encoder and its tokenizer")
parser.add_argument("--items", required=True, type=Path, help="JSONL: sentence, context")
parser.add_argument("--batch-size", type=int, help="of `pipeline`; its default where it is not given")
parser.add_argument("--targets", nargs="+", default=[], help="descriptions, for `cross-encoder`")
parser.add_argument("--fields", type=int, default=3, help="models of `setfit`")
parser.add_argument("--threads", type=int, required=True)
options = parser.parse_args()

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: E402

torch.set_num_threads(options.threads)
transformers.logging.set_verbosity_error()
items = [json.loads(line) for line in options.items.open(encoding="utf-8")]
tokenizer = AutoTokenizer.from_pretrained(options.encoder)
LABELS = 4


def pipeline():
    model = AutoModelForSequenceClassification.from_pretrained(options.encoder, num_labels=LABELS).float().eval()
    classify = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    given = [{"text": item["sentence"], "text_pair": item["context"]} for item in items]
    arguments = {"truncation": True}
    if options.batch_size:
        arguments["batch_size"] = options.batch_size
    classify(given[:4], **arguments)
    return (lambda: classify(given, **arguments)), tokens([(i["sentence"], i["context"]) for i in items])


def setfit():
    from sentence_transformers import SentenceTransformer, models
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression

    words = models.Transformer(options.encoder, model_args={"torch_dtype": torch.float32})
    body = SentenceTransformer(modules=[words, models.Pooling(words.get_word_embedding_dimension())], device="cpu")
    texts = [f"{item['context']} {item['sentence']}".strip() for item in items]
    few = body.encode(texts[:40], show_progress_bar=False)
    head = LogisticRegression().fit(few, [number % LABELS for number in range(len(few))])
    fields = [SetFitModel(model_body=body, model_head=head) for _ in range(options.fields)]
    return (
        lambda: [model.predict(texts, show_progress_bar=False) for model in fields],
        options.fields * tokens([(text, None) for text in texts]),
    )


def cross_encoder():
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(options.encoder, num_labels=LABELS, device="cpu", model_kwargs={"torch_dtype": torch.float32})
    pairs = [(target, f"{item['context']} {item['sentence']}".strip()) for target in options.targets for item in items]
    return lambda: model.predict(pairs, show_progress_bar=False), tokens(pairs)


def tokens(pairs):
    """Tokens that are really there: no padding."""
    ids = tokenizer([a for a, _ in pairs], [b for _, b in pairs] if pairs[0][1] is not None else None, truncation=True)
    return sum(map(len, ids["input_ids"]))


# What a library prints goes to stderr: standard output is for the result.
result = os.dup(1)
os.dup2(2, 1)
run, count = {"pipeline": pipeline, "setfit": setfit, "cross-encoder": cross_encoder}[options.peer]()
began = time.perf_counter()
with torch.inference_mode():
    run()
seconds = time.perf_counter() - began
libraries = ("torch", "transformers", "setfit", "sentence_transformers")
versions = {name: sys.modules[name].__version__ for name in libraries if name in sys.modules}
answer = {"seconds": seconds, "sentences": len(items), "tokens": count, "versions": versions}
os.write(result, (json.dumps(answer) + "\n").encode())
