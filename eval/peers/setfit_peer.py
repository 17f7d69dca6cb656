"""SetFit, one model a field: contrastive tuning on a balanced sample of the labels, logistic regression on all of them.

The number of pairs grows with the square of the sentences, so that the tuning takes at most 128 a label: SetFit is made
for few labels.
"""

import random
import tempfile

from data import arguments, fields_of, labelled, rows_of, write_predictions
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

PER_LABEL = 128

options = arguments(__doc__)
train, test = rows_of(options.train), rows_of(options.test)
predicted, probabilities = {}, {}
for field, (names, _) in fields_of(options.targets).items():
    texts, labels = labelled(train, field)
    rng = random.Random(options.seed)
    sample = []
    for name in names:
        of_label = [text for text, label in zip(texts, labels, strict=True) if label == name]
        sample += [(text, name) for text in rng.sample(of_label, min(PER_LABEL, len(of_label)))]
    tuning_texts, tuning_labels = [text for text, _ in sample], [names.index(label) for _, label in sample]
    model = SetFitModel.from_pretrained(options.base)
    settings = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        batch_size=16,
        num_epochs=1,
        max_steps=options.max_steps if options.max_steps > 0 else 2000,
        sampling_strategy="undersampling",
        seed=options.seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        show_progress_bar=False,
    )
    trainer = Trainer(
        model=model, args=settings, train_dataset=Dataset.from_dict({"text": tuning_texts, "label": tuning_labels})
    )
    trainer.train_embeddings(tuning_texts, tuning_labels, args=settings)
    trainer.train_classifier(texts, [names.index(label) for label in labels], args=settings)
    shares = model.predict_proba([row["text"] for row in test], as_numpy=True)
    codes = list(model.model_head.classes_)
    predicted[field] = [names[codes[i]] for i in shares.argmax(-1).tolist()]
    probabilities[field] = {
        name: shares[:, codes.index(i)].tolist() if i in codes else [0.0] * len(test) for i, name in enumerate(names)
    }
write_predictions(options.output, test, predicted, probabilities)
