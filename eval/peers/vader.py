"""VADER: a lexicon; positive is favor, negative is against, neutral is none. Learns nothing."""

from data import arguments, fields_of, rows_of, write_predictions
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

options = arguments(__doc__)
test = rows_of(options.test)
analyzer = SentimentIntensityAnalyzer()
compounds = [analyzer.polarity_scores(row["text"])["compound"] for row in test]
# The thresholds that its authors give.
signs = [0 if compound >= 0.05 else 1 if compound <= -0.05 else 2 for compound in compounds]
names = {"sentiment": ("positive", "negative", "neutral")}
predicted = {
    field: [names.get(field, ("favor", "against", "none"))[sign] for sign in signs]
    for field in fields_of(options.targets)
}
write_predictions(options.output, test, predicted)
