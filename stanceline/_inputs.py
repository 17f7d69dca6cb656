"""The files that INPUT arguments name: files, folders, patterns and `-`, found before any work begins."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from stanceline._files import COMPRESSED
from stanceline.errors import InputError

Kind = Literal["text", "html", "jsonl", "csv", "parquet"]

KINDS: dict[str, Kind] = {
    ".txt": "text",
    ".md": "text",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
# Kinds of file that may well hold articles, but that are not read: each is reported, other kinds are passed over.
NOT_READ = frozenset({".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".json", ".xml", ".tsv", ".xls", ".xlsx"})
STDIN = "-"


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read."""

    path: Path
    file_id: str  # its path relative to the INPUT argument
    kind: Kind | None  # None: not readable, to be reported
    problem: str = ""  # why it cannot even be looked at; "" where its suffix says enough


@dataclass(frozen=True, slots=True)
class _Source:
    """What one INPUT argument stands for."""

    root: Path  # a folder, or a file
    files: tuple[Path, ...] | None  # None: a folder, to be walked
    pattern: tuple[str, ...] = ()  # of the paths below a folder, in parts; () is everything


def kind_of(path: Path) -> Kind | None:
    """The kind of file by its suffix, behind which .gz or .zst may stand; None where it is none of ours."""
    suffix = path.suffix.lower()
    if suffix in COMPRESSED:
        inner = KINDS.get(Path(path.stem).suffix.lower())
        return None if inner == "parquet" else inner
    return KINDS.get(suffix)


class Inputs:
    """The files that the INPUT arguments name, in the order of the arguments; folders sorted, and walked lazily.

    Args:
        inputs: Files, folders, patterns with * ? or [ that no file has as its name, and at most one `-`.

    Raises:
        InputError: One does not exist, matches nothing, or is a folder without anything readable.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        if not inputs:
            raise InputError("no input was given; name files or folders, or - for standard input")
        if "" in inputs:  # of a variable that was not set; as a path it would be the working folder
            raise InputError("an input is an empty name; name a file or folder, . for this one")
        if list(inputs).count(STDIN) > 1:
            raise InputError("- stands for standard input, which can be read only once; name it once")
        names = Counter(Path(name).name for name in inputs)
        self._sources = [(name, _source(name)) for name in inputs]
        self._doubled_names = {name for name, count in names.items() if count > 1}
        for name, source in self._sources:
            if (
                source
                and source.files != (source.root,)
                and not any(file.kind for file in self._files_of(name, source))
            ):
                raise InputError(f"{name}: {_nothing_usable(self._files_of(name, source))}")

    def __iter__(self) -> Iterator[InputFile | None]:
        """Each file; None stands for standard input."""
        for name, source in self._sources:
            if source is None:
                yield None
            else:
                yield from self._files_of(name, source)

    def named_tables(self) -> Iterator[InputFile]:
        """The tables that are arguments themselves."""
        for name, source in self._sources:
            if source and source.files:
                yield from (f for f in self._files_of(name, source) if f.kind in ("jsonl", "csv", "parquet"))

    def _files_of(self, name: str, source: _Source) -> Iterator[InputFile]:
        if source.files == (source.root,):
            # Two arguments `a/x.txt b/x.txt` need two ids.
            file_id = Path(name).as_posix() if source.root.name in self._doubled_names else source.root.name
            suffix = source.root.suffix.lower()
            is_other = suffix in NOT_READ or suffix in COMPRESSED or suffix in KINDS
            yield InputFile(source.root, file_id, kind_of(source.root) or (None if is_other else "text"))
            return
        for path, problem in _paths(source):
            if (file := _as_input(path, source.root, problem)) is not None:
                yield file


def _source(name: str) -> _Source | None:
    """What the argument stands for; None for standard input."""
    if name == STDIN:
        return None
    path = Path(name)
    if path.is_dir():
        return _Source(path, None)
    if path.exists():
        return _Source(path, (path,))
    if not glob.has_magic(name):
        raise InputError(f"{name}: does not exist; check the path")
    fixed = []  # the parts before the first that is a pattern
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    root = Path(*fixed)
    if "**" in path.parts:
        # Not left to glob, which runs in circles where links do.
        source = _Source(root, None, path.parts[len(fixed) :])
        is_found = root.is_dir() and any(not problem for _, problem in _paths(source))
    else:
        source = _Source(root, tuple(map(Path, sorted(glob.glob(name)))))  # noqa: PTH207 - it may be absolute
        is_found = bool(source.files)
    if not is_found:
        raise InputError(f"{name}: matches no file; check the pattern")
    return source


def _paths(source: _Source) -> Iterator[tuple[Path, str]]:
    """The paths of a source, and what is left out of it with the reason."""
    for top in (source.root,) if source.files is None else source.files:
        for path, problem in _walk(top) if top.is_dir() else ((top, ""),):
            if not source.pattern or _matches(path.relative_to(source.root).parts, source.pattern, bool(problem)):
                yield path, problem


def _matches(parts: Sequence[str], pattern: Sequence[str], is_folder: bool) -> bool:
    """Whether the pattern stands for the path, or for a folder above it; or of a folder, for something in it."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return _matches(parts, pattern[1:], is_folder) or (bool(parts) and _matches(parts[1:], pattern, is_folder))
    if not parts:
        return is_folder
    return fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:], is_folder)


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files below the folder, sorted within each folder, and folders that are left out with the reason.

    Hidden files and folders are passed over. Links are followed, but no folder is read twice.
    """
    errors: list[OSError] = []
    trees = [folder.resolve()]  # what is read, with all below it
    for top, folders, files in os.walk(folder, onerror=errors.append, followlinks=True):
        yield from (_unlisted(error) for error in errors)
        errors.clear()
        yield from ((Path(top, name), "") for name in sorted(files) if not name.startswith("."))
        followed = []
        for name in sorted(name for name in folders if not name.startswith(".")):
            path = Path(top, name)
            if path.is_symlink():
                target = path.resolve()
                if any(_is_below(target, tree) or _is_below(tree, target) for tree in trees):
                    yield path, f"is a link to {target}, which is read already, at least in part; leave it out"
                    continue
                trees.append(target)
            followed.append(name)
        folders[:] = followed
    yield from (_unlisted(error) for error in errors)


def _unlisted(error: OSError) -> tuple[Path, str]:
    return Path(error.filename), "cannot be listed; allow reading it or leave it out"


def _is_below(path: Path, tree: Path) -> bool:
    """Whether reading the tree reads the path; what lies in a hidden folder of it is not read."""
    return path.is_relative_to(tree) and not any(part.startswith(".") for part in path.relative_to(tree).parts)


def _as_input(path: Path, root: Path, problem: str) -> InputFile | None:
    """A file of a folder or pattern; None where it is of a kind that holds no articles."""
    file_id = path.relative_to(root).as_posix()
    if problem:
        return InputFile(path, file_id, None, problem)
    if path.name.endswith(".rejected.jsonl"):  # what an earlier run left out
        return None
    kind = kind_of(path)
    if kind is None and path.suffix.lower() not in NOT_READ:
        if path.is_symlink() and not path.exists():  # perhaps to a folder on a disk that is not mounted
            return InputFile(path, file_id, None, "is a link that leads nowhere; mend it or leave it out")
        return None
    return InputFile(path, file_id, kind)


def _nothing_usable(files: Iterator[InputFile]) -> str:
    others: Counter[str] = Counter()
    left_out = None
    for file in files:
        if file.problem:
            left_out = left_out or file
        else:
            others[file.path.suffix.lower()] += 1
    if left_out and not others:
        return f"holds no article; {left_out.path} {left_out.problem}"
    seen = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(3))
    readable = " ".join(KINDS)
    return f"holds no article; files are read that end in {readable}" + (f" (there are {seen})" if seen else "")
