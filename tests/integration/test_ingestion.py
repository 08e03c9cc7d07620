"""Filling collections: what is written, left alone, removed, quarantined and refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError

from activities import sources
from activities.sources import Folder
from temporal.dev.stack import Stack
from tests.integration.documents import INSTALLED, Library, OtherEmbedder, fresh_name, open_library
from workflows.contracts import IngestProgress, QuarantinedDocument

GUIDE = "# Guide\n\nA timer is durable.\n\n## Workers\n\nWorkers poll a task queue.\n"
NOTES = "# Notes\n\nThe zyzzogeton is a leafhopper.\n"


@pytest.fixture(scope="module")
async def library(stack: Stack, client: Client) -> AsyncIterator[Library]:
    async with open_library(stack, client) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "guide.md").write_text(GUIDE)
    (tmp_path / "notes.md").write_text(NOTES)
    return tmp_path


def of(folder: Path) -> dict[str, str]:
    return {"kind": "folder", "path": str(folder)}


async def test_each_document_of_a_folder_is_stored(library: Library, folder: Path) -> None:
    result = await library.ingest(fresh_name(), of(folder))

    assert (result.documents, result.chunks, result.stored, result.unchanged) == (2, 3, 3, 0)
    assert result.embedder == "lexical-hash-1024-v1"


async def test_a_stored_chunk_is_the_span_of_its_document(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))

    [found, *_] = await library.search(name, "workers poll")

    document, place = sources.read(Folder(path=str(folder)), found.metadata["document"])
    assert document.text[found.metadata["start"] : found.metadata["end"]] == found.page_content
    assert (found.metadata["section"], found.metadata["source"]) == ("Workers", place)


async def test_a_second_ingestion_writes_nothing(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))

    result = await library.ingest(name, of(folder))

    assert (result.unchanged, result.chunks, result.stored) == (2, 0, 3)


async def test_a_changed_document_leaves_nothing_of_its_former_self(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))
    (folder / "guide.md").write_text("# Guide\n\nA signal is a message.\n")

    result = await library.ingest(name, of(folder))

    assert (result.unchanged, result.chunks, result.stored) == (1, 1, 2)
    assert "durable" not in str(await library.search(name, "durable timer"))


async def test_a_deleted_document_is_removed(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))
    (folder / "notes.md").unlink()

    result = await library.ingest(name, of(folder))

    assert (result.removed, result.stored) == (1, 2)


async def test_a_chunk_that_got_lost_is_written_again(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))
    await library.weaviate.delete_document(name, sources.origin(Folder(path=str(folder))), "guide.md")

    result = await library.ingest(name, of(folder))

    assert (result.unchanged, result.chunks, result.stored) == (1, 2, 3)


async def test_an_unreadable_document_is_quarantined_and_the_rest_ingested(library: Library, folder: Path) -> None:
    (folder / "broken.md").write_bytes(b"%PDF-1.7 \x00\x01")
    (folder / "empty.md").write_text("\n")

    result = await library.ingest(fresh_name(), of(folder))

    assert result.stored == 3
    assert result.quarantined == [
        QuarantinedDocument(document="broken.md", reason="This is a PDF file, not text: convert it to Markdown first."),
        QuarantinedDocument(document="empty.md", reason="There is no text in it."),
    ]


async def test_a_document_that_became_unreadable_keeps_what_was_stored(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))
    (folder / "guide.md").write_bytes(b"\x00")

    result = await library.ingest(name, of(folder))

    assert (len(result.quarantined), result.stored) == (1, 3)


async def test_two_folders_share_a_collection_without_disturbing_each_other(library: Library, folder: Path) -> None:
    name = fresh_name()
    other = folder / "other"
    other.mkdir()
    (other / "guide.md").write_text("# Guide\n\nAnother guide.\n")
    source = {**of(folder), "patterns": ["*.md"]}

    await library.ingest(name, source)
    await library.ingest(name, of(other))
    result = await library.ingest(name, source)

    assert (result.unchanged, result.removed, result.stored) == (2, 0, 4)


async def test_texts_never_enter_the_history(library: Library, folder: Path) -> None:
    _, history = await library.ingest_with_history({"collection": fresh_name(), "source": of(folder)})

    assert b"guide.md" in _payloads(history)
    assert b"zyzzogeton" not in _payloads(history)


async def test_a_batch_says_what_is_in_it(library: Library, folder: Path) -> None:
    _, history = await library.ingest_with_history({"collection": fresh_name(), "source": of(folder)})

    summaries = [event.user_metadata.summary.data.decode() for event in history.events]
    assert '"guide.md, notes.md (2 documents)"' in summaries


async def test_many_documents_go_in_batches(library: Library, tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"{number:02}.md").write_text(f"# Number {number}\n\nText {number}.\n")

    result, history = await library.ingest_with_history({"collection": fresh_name(), "source": of(tmp_path)})

    started = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
    assert result.stored == 23
    assert started.count("ingest_documents") == 3


async def test_progress_can_be_asked_for(library: Library, folder: Path) -> None:
    async with library.worker() as queue:
        handle = await library.start({"collection": fresh_name(), "source": of(folder)}, queue)
        await handle.result()
        progress = await handle.query("progress", result_type=IngestProgress)

    assert progress == IngestProgress(listed=2, done=2, chunks=3, quarantined=0)


async def failure(library: Library, request: Any) -> ApplicationError:
    async with library.worker() as queue:
        handle = await library.start(request, queue)
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    cause = caught.value.cause
    found = cause.cause if isinstance(cause, ActivityError) else cause
    assert isinstance(found, ApplicationError)
    return found


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (None, "valid dictionary"),
        ({"source": INSTALLED}, "collection: Field required"),
        ({"collection": "my docs", "source": INSTALLED}, "collection: String should match pattern"),
        ({"collection": "docs", "source": {"kind": "zip"}}, "'installed', 'folder'"),
        ({"collection": "docs", "source": INSTALLED, "colour": 1}, "colour: Extra inputs are not permitted"),
    ],
)
async def test_an_input_that_is_off_fails_the_run_and_says_what_is_expected(
    library: Library, request_: Any, words: str
) -> None:
    error = await failure(library, request_)

    assert (error.type, error.non_retryable) == ("InvalidInput", True)
    assert words in error.message
    assert '{"collection": "docs", "source": {"kind": "installed"}}' in error.message


async def test_a_folder_that_is_not_there_fails_the_run(library: Library) -> None:
    error = await failure(library, {"collection": fresh_name(), "source": of(Path("/nowhere"))})

    assert error.type == "InvalidInput"
    assert "There is no folder '/nowhere'" in error.message


async def test_another_embedding_model_is_refused(library: Library, folder: Path) -> None:
    name = fresh_name()
    await library.ingest(name, of(folder))

    error = await failure(library.with_embedder(OtherEmbedder()), {"collection": name, "source": of(folder)})

    assert error.type == "CollectionMismatch"
    assert "'lexical-hash-1024-v1' (1024 dimensions), and 'other-2-v1' (2) is configured" in error.message


def _payloads(history: Any) -> bytes:
    return b"".join(event.SerializeToString() for event in history.events)
