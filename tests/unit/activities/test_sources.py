"""Where documents come from."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from activities.sources import Folder, InstalledDocumentation, Source, holds, list_names, origin, read
from agents.errors import InvalidInput, UnreadableDocument

TEMPORALIO = InstalledDocumentation(distributions=["temporalio"])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "deep").mkdir()
    (tmp_path / "guide.md").write_text("# Guide\n\nText.\n")
    (tmp_path / "deep" / "notes.txt").write_text("Notes.\n")
    (tmp_path / "program.py").write_text("run()\n")
    return Folder(path=str(tmp_path))


def test_a_folder_has_the_files_that_match(folder: Folder) -> None:
    assert list_names(folder) == ["deep/notes.txt", "guide.md"]


def test_a_file_is_read_with_its_place(folder: Folder) -> None:
    document, place = read(folder, "guide.md")

    assert document.title == "Guide"
    assert place == str(Path(folder.path).resolve() / "guide.md")


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidInput, match="There is no folder '/nowhere'"):
        list_names(Folder(path="/nowhere"))


@pytest.mark.parametrize("pattern", ["", "/etc/*"])
def test_a_pattern_that_cant_be_used_is_named(folder: Folder, pattern: str) -> None:
    with pytest.raises(InvalidInput, match="can't be used"):
        list_names(Folder(path=folder.path, patterns=[pattern]))


def test_a_deleted_file_is_no_longer_held(folder: Folder) -> None:
    (Path(folder.path) / "guide.md").unlink()

    assert not holds(folder, "guide.md")
    assert holds(folder, "deep/notes.txt")


def test_a_distribution_has_its_description_and_the_readmes_of_its_packages() -> None:
    description, *readmes = list_names(TEMPORALIO)

    assert description.partition(" ")[0] == "temporalio"
    assert f"{description}: temporalio/contrib/langgraph/README.md" in readmes
    assert not any("sdk-core" in name for name in readmes)


def test_each_listed_document_is_held_and_readable() -> None:
    names = list_names(TEMPORALIO)

    assert all(holds(TEMPORALIO, name) for name in names)
    assert all(read(TEMPORALIO, name)[0].text.strip() for name in names)


@pytest.mark.parametrize("name", ["temporalio 0.0.1", "no-such-package 1.0", "nonsense"])
def test_another_version_is_not_held(name: str) -> None:
    assert not holds(TEMPORALIO, name)


def test_a_document_that_is_gone_can_t_be_read() -> None:
    with pytest.raises(UnreadableDocument, match="no longer installed"):
        read(TEMPORALIO, "temporalio 0.0.1")


def test_a_distribution_that_is_not_installed_is_named() -> None:
    with pytest.raises(InvalidInput, match="'no-such-package' is not installed"):
        list_names(InstalledDocumentation(distributions=["no-such-package"]))


def test_sources_are_told_apart(folder: Folder) -> None:
    assert origin(folder) != origin(TEMPORALIO)


@pytest.mark.parametrize("given", [{"kind": "zip"}, {"kind": "folder"}, {"kind": "installed", "names": []}, "docs"])
def test_a_source_that_is_off_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Source).validate_python(given)
