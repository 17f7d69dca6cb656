"""TF-IDF of words and word pairs, and a linear support vector machine a field."""

from data import arguments, fields_of, labelled, rows_of, write_predictions
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

options = arguments(__doc__)
train, test = rows_of(options.train), rows_of(options.test)
predicted = {}
for field in fields_of(options.targets):
    texts, labels = labelled(train, field)
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2 if len(texts) > 1000 else 1),
        LinearSVC(class_weight="balanced", random_state=options.seed),
    )
    pipeline.fit(texts, labels)
    predicted[field] = [str(label) for label in pipeline.predict([row["text"] for row in test])]
write_predictions(options.output, test, predicted)
