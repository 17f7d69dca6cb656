"""Where labels to evaluate come from: files of rows, or a Hugging Face dataset by name or folder."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stanceline.errors import LabelError
from stanceline.label_rows import FORMATS

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


@contextmanager
def label_files(sources: Sequence[str | Path]) -> Iterator[dict[Path, str]]:
    """Readable files of rows for each source, as long as the context lasts.

    Args:
        sources: Files, folders that the `datasets` library can load, or hub names; `:SPLIT` behind a folder or name
            chooses a split, which is needed where there are several.

    Yields:
        File -> the source as it was given.

    Raises:
        LabelError: A source is neither a file nor a dataset.
    """
    with tempfile.TemporaryDirectory(prefix="stanceline-") as folder:
        found = {}
        for source in sources:
            path = Path(source)
            found[path if path.is_file() else _exported(str(source), Path(folder))] = str(source)
        yield found


def _exported(source: str, folder: Path) -> Path:
    """A dataset as a Parquet file."""
    name, _, split = source.partition(":")
    is_hub_name = _HUB_NAME.fullmatch(source) and Path(name).suffix.lower() not in FORMATS
    if not Path(name).is_dir() and not is_hub_name:
        raise LabelError(f"{source}: no such file; give a file of rows, a dataset's folder, or its name (owner/name)")
    import datasets

    datasets.disable_progress_bars()
    try:
        data: Any = datasets.load_from_disk(name) if _saved_to_disk(name) else datasets.load_dataset(name)
    except Exception as error:  # the library raises whatever its loaders raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LabelError(f"{source}: cannot be loaded as a dataset: {first}") from error
    if isinstance(data, datasets.DatasetDict):
        if not split and len(data) > 1:
            raise LabelError(
                f"{source}: has the splits {', '.join(data)}; choose one, such as {name}:{next(iter(data))}"
            )
        chosen = split or next(iter(data))
        if chosen not in data:
            raise LabelError(f"{source}: no split {chosen!r}; there are {', '.join(data)}")
        data = data[chosen]
    path = folder / (re.sub(r"[^\w.-]+", "--", source.strip("/")) + ".parquet")
    data.to_parquet(str(path))
    return path


def _saved_to_disk(name: str) -> bool:
    return any((Path(name) / marker).exists() for marker in ("dataset_info.json", "dataset_dict.json"))
