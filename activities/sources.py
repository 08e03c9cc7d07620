"""Where documents come from: a folder, or the documentation that installed distributions carry.

The models travel through workflows as an ingestion's input; the functions read files, so only activities call them.
"""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

from activities.parsing import ParsedDocument, parse_description, parse_file
from agents.errors import InvalidInput, UnreadableDocument, known

if TYPE_CHECKING:
    from collections.abc import Iterator


class InstalledDocumentation(BaseModel):
    """What installed distributions say about themselves: their long descriptions, and the READMEs of their packages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["installed"] = "installed"
    distributions: list[str] | None = None


class Folder(BaseModel):
    """The files under `path`, a folder that the worker can read, whose names match one of `patterns`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    patterns: list[str] = ["**/*.md", "**/*.rst", "**/*.txt"]


Source = Annotated[InstalledDocumentation | Folder, Field(discriminator="kind")]
README = frozenset({"readme.md", "readme.rst"})
# What stands between a distribution ("temporalio 1.35.0") and a file in it.
INSIDE = ": "


def origin(source: Source) -> str:
    """What the documents of one source have in common, and no others have."""
    match source:
        case InstalledDocumentation():
            return "installed"
        case Folder():
            return f"folder:{_root(source)}"
        case _:
            assert_never(source)


def list_names(source: Source) -> list[str]:
    """The names of a source's documents. Raises InvalidInput for what isn't there."""
    match source:
        case InstalledDocumentation():
            return sorted(_installed_names(source))
        case Folder():
            return sorted({path.relative_to(_root(source)).as_posix() for path in _files(source)})
        case _:
            assert_never(source)


def read(source: Source, name: str) -> tuple[ParsedDocument, str]:
    """A document and the place where a reader finds it. Raises UnreadableDocument."""
    match source:
        case InstalledDocumentation():
            return _read_installed(name)
        case Folder():
            path = _root(source) / name
            return parse_file(path), str(path)
        case _:
            assert_never(source)


def holds(source: Source, name: str) -> bool:
    """Whether the source still has the document, be it listed now or not."""
    match source:
        case InstalledDocumentation():
            place = _find(name)
            return place is not None and (not place[1] or place[1] in _readmes(place[0]))
        case Folder():
            return (_root(source) / name).is_file()
        case _:
            assert_never(source)


def _root(folder: Folder) -> Path:
    return Path(folder.path).expanduser().resolve()


def _files(folder: Folder) -> Iterator[Path]:
    root = _root(folder)
    if not root.is_dir():
        raise InvalidInput(
            f"There is no folder {str(root)!r} where the worker runs. Give `path` as the worker sees it."
        )
    for pattern in folder.patterns:
        try:
            yield from (path for path in root.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError) as error:
            raise InvalidInput(f"Pattern {pattern!r} can't be used: {error} Write one like '**/*.md'.") from None


def _installed_names(source: InstalledDocumentation) -> Iterator[str]:
    for found in _chosen(source.distributions):
        label = _label(found)
        if (found.read_text("METADATA") or "").partition("\n\n")[2].strip():
            yield label
        yield from (f"{label}{INSIDE}{path}" for path in _readmes(found))


def _chosen(names: list[str] | None) -> list[Distribution]:
    if names is None:
        return [found for found in distributions() if found.name]
    try:
        return [distribution(name) for name in names]
    except PackageNotFoundError as error:
        installed = known(sorted({found.name for found in distributions() if found.name}))
        raise InvalidInput(f"Distribution {error.name!r} is not installed where the worker runs. {installed}") from None


def _readmes(found: Distribution) -> list[str]:
    """Those beside an `__init__.py`; others belong to what a distribution is built from, or to examples."""
    files = found.files or []
    packages = {path.parent for path in files if path.name == "__init__.py"}
    return [str(path) for path in files if path.name.lower() in README and path.parent in packages]


def _label(found: Distribution) -> str:
    return f"{found.name} {found.version}"


def _find(name: str) -> tuple[Distribution, str] | None:
    """The distribution of a document, of that very version, and the file in it, "" for its description."""
    label, _, inside = name.partition(INSIDE)
    try:
        found = distribution(label.rpartition(" ")[0])
    except (PackageNotFoundError, ValueError):
        return None
    still_there = _label(found) == label and Path(str(found.locate_file(inside))).exists()
    return (found, inside) if still_there else None


def _read_installed(name: str) -> tuple[ParsedDocument, str]:
    place = _find(name)
    if place is None:
        raise UnreadableDocument(f"{name!r} is no longer installed.")
    found, inside = place
    if not inside:
        return parse_description(found), f"{found.name}=={found.version}"
    return parse_file(Path(str(found.locate_file(inside)))), f"{found.name}=={found.version}/{inside}"
