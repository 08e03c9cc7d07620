"""Objects in a folder: their names, their content, what happens where one is not what it was."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore

from agents.errors import PayloadMissing, ServiceUnavailable
from temporal.blobs import Address, Blobs

DIGEST = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(lambda: LocalStore(tmp_path, automatic_cleanup=True), str(tmp_path))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_what_was_put_is_got_again(blobs, tmp_path):
    address = await blobs.put("default", "orders-1", b"content")

    assert await blobs.get(address) == b"content"
    assert files(tmp_path) == [f"v1/default/orders-1/{DIGEST}"]


async def test_the_same_content_of_one_workflow_is_written_once(blobs, tmp_path):
    await blobs.put("default", "orders-1", b"content")
    [written] = tmp_path.rglob(DIGEST)
    before = written.stat().st_ino

    await blobs.put("default", "orders-1", b"content")

    assert written.stat().st_ino == before


async def test_many_writers_of_one_content_do_not_mind_each_other(blobs):
    content = b"x" * 6_000_000

    addresses = await asyncio.gather(*(blobs.put("default", "orders-1", content) for _ in range(8)))

    assert len(set(addresses)) == 1
    assert await blobs.get(addresses[0]) == content


async def test_an_object_that_was_changed_is_refused(blobs, tmp_path):
    address = await blobs.put("default", "orders-1", b"content")
    [written] = tmp_path.rglob(DIGEST)
    written.write_bytes(b"another")

    with pytest.raises(PayloadMissing, match="its digest differs"):
        await blobs.get(address)


async def test_an_object_that_is_cut_off_is_written_again(blobs, tmp_path):
    address = await blobs.put("default", "orders-1", b"content")
    [written] = tmp_path.rglob(DIGEST)
    written.write_bytes(b"con")

    await blobs.put("default", "orders-1", b"content")

    assert await blobs.get(address) == b"content"


async def test_an_object_that_is_gone_is_missed(blobs):
    with pytest.raises(PayloadMissing, match="has no object"):
        await blobs.get(Address("default", "orders-1", DIGEST))


@pytest.mark.parametrize(
    "workflow", ["../../etc", "..", ".", "a/b", "Orders", "a b=c", "%2e%2e", "größe", "x" * 900, "\x00"]
)
async def test_any_id_has_a_folder_inside_and_can_be_told_from_it(blobs, tmp_path, workflow):
    address = await blobs.put("default", workflow, b"content")

    assert len(Path(address.folder).parts) == 3
    assert Path(address.folder).name == Path(address.folder).name.lower()
    assert await blobs.workflow_of(address.folder) == workflow
    assert all(name.startswith("v1/default/") for name in files(tmp_path))


@pytest.mark.parametrize("digest", ["", "../../../etc/passwd", DIGEST.upper(), f"{DIGEST}/../x"])
async def test_a_reference_with_no_digest_leads_nowhere(blobs, digest):
    with pytest.raises(PayloadMissing, match="is no digest"):
        await blobs.get(Address("default", "orders-1", digest))


async def test_a_storage_keeps_its_identity(blobs, tmp_path):
    another = Blobs(lambda: LocalStore(tmp_path), "the same, mounted elsewhere")

    assert await blobs.identity() == await another.identity() != ""


async def test_objects_are_listed_by_namespace_with_their_sizes(blobs):
    await blobs.put("default", "orders-1", b"content")
    await blobs.put("other", "orders-1", b"content")

    listed = [found async for found in blobs.objects("default")]

    assert [(found.path, found.size) for found in listed] == [(f"v1/default/orders-1/{DIGEST}", 7)]


async def test_what_was_written_again_meanwhile_is_not_deleted(blobs):
    address = await blobs.put("default", "orders-1", b"content")

    await blobs.delete(address.path, unless_written_since=datetime.now(UTC) - timedelta(hours=1))

    assert await blobs.get(address) == b"content"


async def test_a_folder_that_can_not_be_written_says_so(tmp_path):
    (tmp_path / "v1").write_text("a file where a folder should be")
    blobs = Blobs(lambda: LocalStore(tmp_path), str(tmp_path))

    with pytest.raises(ServiceUnavailable, match="The storage of payloads"):
        await blobs.probe()
