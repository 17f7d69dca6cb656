"""The review page: look at predictions, correct them, hand the corrections to `train`."""

from stanceline.review.export import Exported, export_labels
from stanceline.review.server import serve

__all__ = ["Exported", "export_labels", "serve"]
