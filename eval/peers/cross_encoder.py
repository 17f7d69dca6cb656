"""A sentence-transformers `CrossEncoder` over (target description, sentence): one for stances, one for sentiment."""

import tempfile

import torch
from data import arguments, fields_of, labelled, rows_of, write_predictions
from datasets import Dataset, disable_progress_bars
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import CrossEntropyLoss
from transformers import set_seed

options = arguments(__doc__)
disable_progress_bars()
train, test = rows_of(options.train), rows_of(options.test)
fields = fields_of(options.targets)
stances = [field for field in fields if field != "sentiment"]
predicted, probabilities = {}, {}
for group in (stances, ["sentiment"]):
    set_seed(options.seed)
    names = fields[group[0]][0]
    pairs = {"target": [], "sentence": [], "label": []}
    for field in group:
        texts, labels = labelled(train, field)
        pairs["target"] += [fields[field][1]] * len(texts)
        pairs["sentence"] += texts
        pairs["label"] += [names.index(label) for label in labels]
    model = CrossEncoder(options.base, num_labels=len(names), max_length=256)
    settings = CrossEncoderTrainingArguments(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=3,
        learning_rate=5e-5,
        per_device_train_batch_size=32,
        warmup_steps=0.1,
        max_steps=options.max_steps,
        seed=options.seed,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = CrossEncoderTrainer(
        model=model, args=settings, train_dataset=Dataset.from_dict(pairs), loss=CrossEntropyLoss(model)
    )
    trainer.train()
    for field in group:
        asked = [(fields[field][1], row["text"]) for row in test]
        logits = model.predict(
            asked, activation_fn=torch.nn.Identity(), convert_to_tensor=True, show_progress_bar=False
        )
        shares = logits.float().cpu().softmax(-1)
        predicted[field] = [names[i] for i in shares.argmax(-1).tolist()]
        probabilities[field] = {name: shares[:, i].tolist() for i, name in enumerate(names)}
write_predictions(options.output, test, predicted, probabilities)
