"""Where the storage is, and how a reference is refused that can't be followed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriverActivityInfo,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverSelectContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)
from temporalio.exceptions import ApplicationError

from activities.sizes import Limits
from agents.errors import StorageMismatch
from temporal.converter import DATA_CONVERTER, data_converter, payload_limits
from temporal.settings import InvalidSettings, Settings, StorageSettings, describe, read_settings
from temporal.storage import PayloadDriver, StorageLocation, find_storage

WORKFLOW = StorageDriverWorkflowInfo(namespace="default", id="orders-1")
PAYLOAD = Payload(metadata={"encoding": b"json/plain"}, data=b'"large"')


def in_folder(folder: Path) -> PayloadDriver:
    return PayloadDriver(StorageLocation(str(folder), folder).open(), "default")


async def stored(driver: PayloadDriver) -> StorageDriverClaim:
    [claim] = await driver.store(StorageDriverStoreContext(WORKFLOW), [PAYLOAD])
    return claim


async def retrieved(driver: PayloadDriver, claim: StorageDriverClaim) -> Payload:
    [payload] = await driver.retrieve(StorageDriverRetrieveContext(), [claim])
    return payload


async def test_a_payload_comes_back_with_its_metadata(tmp_path):
    driver = in_folder(tmp_path)

    assert await retrieved(driver, await stored(driver)) == PAYLOAD


async def test_a_payload_that_is_lost_fails_for_good(tmp_path):
    driver = in_folder(tmp_path)
    claim = await stored(driver)
    [written] = tmp_path.rglob(claim.claim_data["digest"])
    written.unlink()

    with pytest.raises(ApplicationError, match="is lost") as lost:
        await retrieved(driver, claim)

    assert (lost.value.type, lost.value.non_retryable) == ("PayloadMissing", True)


async def test_a_payload_of_another_storage_may_be_read_by_another_worker(tmp_path):
    claim = await stored(in_folder(tmp_path / "here"))

    with pytest.raises(StorageMismatch, match="in another storage than"):
        await retrieved(in_folder(tmp_path / "there"), claim)


async def test_without_a_storage_a_reference_is_refused_with_a_reason(tmp_path):
    claim = await stored(in_folder(tmp_path))

    with pytest.raises(StorageMismatch, match="PERDURE_STORAGE__URL"):
        await retrieved(PayloadDriver(None, "default"), claim)


async def test_a_reference_to_another_namespace_is_refused(tmp_path):
    claim = await stored(in_folder(tmp_path))
    driver = PayloadDriver(StorageLocation(str(tmp_path), tmp_path).open(), "another")

    with pytest.raises(ApplicationError, match="leads to namespace 'default'"):
        await retrieved(driver, claim)


def test_what_belongs_to_no_workflow_stays_inline(tmp_path):
    driver = in_folder(tmp_path)
    beat = StorageDriverActivityInfo(namespace="default", id="1")

    assert driver.select(StorageDriverSelectContext(beat), PAYLOAD) is None
    assert driver.select(StorageDriverSelectContext(WORKFLOW), PAYLOAD) is driver


@pytest.mark.parametrize("address", ["127.0.0.1:7233", "localhost:7233", "[::1]:7233"])
def test_beside_a_server_of_this_machine_it_is_a_folder_of_the_state(address):
    found = find_storage(Settings(state=Path("/srv/state")), address, {})

    assert found is not None
    assert found.folder == Path("/srv/state/storage")


def test_a_server_elsewhere_has_none_unless_one_is_named():
    named = Settings(storage=StorageSettings(url="s3://bucket/prefix"))

    assert find_storage(Settings(), "cloud.example:7233", {}) is None
    assert find_storage(named, "cloud.example:7233", {}) == StorageLocation("s3://bucket/prefix")


def test_it_can_be_off():
    assert find_storage(Settings(storage=StorageSettings(url="off")), "localhost:7233", {}) is None


def test_nothing_is_made_before_something_is_stored(tmp_path):
    StorageLocation(str(tmp_path / "storage"), tmp_path / "storage").open()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        ("s3://bucket/prefix", {"AWS_ACCESS_KEY_ID": "the-id", "AWS_SECRET_ACCESS_KEY": "the-secret"}),
        ("gs://bucket/prefix", {}),
        ("az://container/prefix", {"AZURE_STORAGE_ACCOUNT_NAME": "shop", "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0"}),
        ("abfss://container@shop.dfs.core.windows.net/prefix", {"AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0"}),
        ("file:///srv/shared%20folder", {}),
    ],
)
def test_every_kind_of_storage_opens_by_its_url_and_tells_no_secret(url, environ):
    location = find_storage(Settings(storage=StorageSettings(url=url)), "cloud.example:7233", environ)

    assert location is not None
    assert location.open().place == url
    assert "secret" not in repr(location)
    assert "c2VjcmV0" not in repr(location)


def test_what_the_vendor_lacks_is_said():
    location = StorageLocation("az://container/prefix")

    with pytest.raises(InvalidSettings, match=r"'az://container/prefix'.*Account must be specified"):
        location.open()


@pytest.mark.parametrize("url", ["s3://id:the-secret@bucket", "s3://bucket?token=the-secret", "ftp://bucket", "bucket"])
def test_a_url_that_is_none_or_holds_a_credential_is_refused(url):
    with pytest.raises(ValidationError):
        StorageSettings(url=url)


def test_a_refused_url_is_shown_masked(monkeypatch, tmp_path):
    monkeypatch.setenv("PERDURE_STORAGE__URL", "s3://id:the-secret@bucket")

    with pytest.raises(InvalidSettings) as refused:
        read_settings(tmp_path / ".env")

    assert "the-secret" not in str(refused.value)


def test_the_settings_show_where_it_is(tmp_path):
    rows = describe(Settings(storage=StorageSettings(url="s3://bucket/prefix")), tmp_path / ".env")

    assert [row.value for row in rows if row.variable == "PERDURE_STORAGE__URL"] == ["s3://bucket/prefix"]


def test_the_limit_of_a_payload_is_larger_with_a_storage(tmp_path):
    storing = data_converter(StorageLocation(str(tmp_path), tmp_path), "default")

    assert payload_limits(storing, most=10**8) == Limits(10**8, 64 * 1024)
    assert payload_limits(data_converter(None, "default"), most=10**8) == Limits()
    assert payload_limits(DATA_CONVERTER, most=10**8) == Limits()
