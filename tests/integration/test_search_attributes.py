"""A worker makes sure, at its start, that runs which wait for people can be found."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from temporal import search_attributes
from temporal.dev import dev_server
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.supervisor import Supervisor
from workflows.contracts import QUESTIONS


@pytest.fixture(scope="module")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server that was not told of the attribute."""
    state = tmp_path_factory.mktemp("bare")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(dev_server.SEARCH_ATTRIBUTES, QUESTIONS.name)
        async with hold_state(state) as lock, Supervisor(lock, state / LOCK_NAME) as supervisor:
            server = await dev_server.start_dev_server(supervisor, state, namespace="default", port=None, ui_port=None)
            yield await Client.connect(server.address)


@pytest.fixture(autouse=True)
async def _without_the_attribute(bare: Client) -> AsyncIterator[None]:
    yield
    request = RemoveSearchAttributesRequest(namespace=bare.namespace, search_attributes=[QUESTIONS.name])
    try:
        await bare.operator_service.remove_search_attributes(request)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise


async def test_the_embedded_server_has_it_from_the_start(client: Client) -> None:
    assert await search_attributes.look_up(client) == "there"


async def test_a_worker_adds_it_where_it_is_missing(bare: Client) -> None:
    assert await search_attributes.look_up(bare) == "missing"

    await search_attributes.ensure(bare)

    assert await search_attributes.look_up(bare) == "there"
    assert (await bare.count_workflows(f"{QUESTIONS.name} IS NOT NULL")).count == 0


async def test_a_worker_that_may_not_add_it_does_not_start_and_says_how_it_is_added(bare: Client) -> None:
    class Refusing:
        """The operator service as it answers whom nobody gave its rights."""

        async def list_search_attributes(self, _request: object) -> None:
            raise RPCError("Request unauthorized.", RPCStatusCode.PERMISSION_DENIED, b"")

        add_search_attributes = list_search_attributes

    class Restricted:
        namespace, operator_service, count_workflows = bare.namespace, Refusing(), bare.count_workflows

    with pytest.raises(search_attributes.SearchAttributeMissing) as refused:
        await search_attributes.ensure(Restricted())  # type: ignore[arg-type]

    assert "may not add it: Request unauthorized." in str(refused.value)
    assert (
        "temporal operator search-attribute create --namespace default --name PerdureQuestions --type KeywordList"
        in (str(refused.value))
    )


async def test_one_of_another_type_is_refused(bare: Client) -> None:
    kind = IndexedValueType.INDEXED_VALUE_TYPE_INT
    await bare.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=bare.namespace, search_attributes={QUESTIONS.name: kind})
    )

    with pytest.raises(search_attributes.SearchAttributeMissing, match="is of another type than KeywordList"):
        await search_attributes.ensure(bare)
