"""A plain Hugging Face `Trainer` fine-tune for text classification, one model a field, of the sentence alone."""

import tempfile

import torch
from data import arguments, fields_of, labelled, rows_of, write_predictions
from datasets import Dataset, disable_progress_bars
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

options = arguments(__doc__)
disable_progress_bars()
train, test = rows_of(options.train), rows_of(options.test)
tokenizer = AutoTokenizer.from_pretrained(options.base)


def tokenized(texts, codes=None):
    columns = dict(tokenizer(texts, truncation=True, max_length=192))
    return Dataset.from_dict(columns if codes is None else {**columns, "labels": codes})


predicted, probabilities = {}, {}
for field, (names, _) in fields_of(options.targets).items():
    set_seed(options.seed)
    texts, labels = labelled(train, field)
    model = AutoModelForSequenceClassification.from_pretrained(options.base, num_labels=len(names))
    settings = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=4,
        learning_rate=5e-5,
        per_device_train_batch_size=32,
        per_device_eval_batch_size=64,
        warmup_steps=0.1,
        weight_decay=0.01,
        max_steps=options.max_steps,
        seed=options.seed,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=model,
        args=settings,
        train_dataset=tokenized(texts, [names.index(label) for label in labels]),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train()
    logits = torch.tensor(trainer.predict(tokenized([row["text"] for row in test])).predictions)
    shares = logits.softmax(-1)
    predicted[field] = [names[i] for i in shares.argmax(-1).tolist()]
    probabilities[field] = {name: shares[:, i].tolist() for i, name in enumerate(names)}
write_predictions(options.output, test, predicted, probabilities)
