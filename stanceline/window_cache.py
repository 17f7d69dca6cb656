"""Windows that occur again are computed once, within a bounded cache.

What a sentence is labelled depends on its window alone, so that the window is what can be remembered: a reprinted
article, or a short item that stands alone.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np

from stanceline.encoding import Window
from stanceline.runtime import Engine, Logits

# About 1 kB each.
CACHED_WINDOWS = 16_384


class CachedEngine:
    """An engine that remembers the windows it saw last.

    Args:
        engine: What computes the others.
        size: Windows that are remembered; the one used longest ago goes first.
    """

    def __init__(self, engine: Engine, size: int = CACHED_WINDOWS) -> None:
        self.engine = engine
        self.size = size
        self._known: dict[bytes, Logits] = {}  # the last one used last
        self._running: set[bytes] = set()  # given to the engine, not yet known

    def run(self, windows: Sequence[Window]) -> Iterator[Logits]:
        """See `Engine.run`; what another, still unread run computes is not computed again."""
        keys = [_key(window) for window in windows]
        fresh = {
            key: window
            for key, window in zip(keys, windows, strict=True)
            if key not in self._known and key not in self._running
        }
        self._running.update(fresh)
        return self._results(keys, windows, set(fresh), self.engine.run(list(fresh.values())))

    def _results(
        self, keys: Sequence[bytes], windows: Sequence[Window], fresh: set[bytes], computed: Iterator[Logits]
    ) -> Iterator[Logits]:
        try:
            for key, window in zip(keys, windows, strict=True):
                if key in fresh:
                    # Owned arrays: an engine may give views of a whole batch.
                    logits: Logits = tuple(array.copy() for array in next(computed))
                    fresh.discard(key)
                    self._running.discard(key)
                else:
                    # Taken out and put in again: that makes it the one used last. It may have been dropped meanwhile.
                    remembered = self._known.pop(key, ())
                    logits = remembered or next(self.engine.run([window]))
                self._known[key] = logits
                if len(self._known) > self.size:
                    self._known.pop(next(iter(self._known)), None)
                yield logits
        finally:
            self._running -= fresh


def _key(window: Window) -> bytes:
    spans = (place for span in window.spans for place in span)
    numbers = np.fromiter((len(window.token_ids), *window.token_ids, *spans), dtype=np.int32)
    return blake2b(numbers.tobytes(), digest_size=16).digest()
