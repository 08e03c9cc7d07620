"""The search attribute by which lists of runs show who waits for people: whether it is there, and adding it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.service import RPCError, RPCStatusCode

from agents.errors import FatalError
from workflows.contracts import QUESTIONS

if TYPE_CHECKING:
    from temporalio.client import Client

KIND = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST
KNOWN_WITHIN = 60.0
"""Seconds. The server's processes learn of a new attribute one after the other."""

REMEDY = (
    "Somebody who may do so adds it, once: "
    "temporal operator search-attribute create --namespace {namespace} --name {name} --type KeywordList; in Temporal "
    "Cloud: tcld namespace search-attributes add --namespace {namespace} --sa {name}=KeywordList"
)

State = Literal["there", "missing", "other_type"]


class SearchAttributeMissing(FatalError):
    """A run that asks could not say so, and its task would be tried again for ever."""


def remedy(namespace: str) -> str:
    return REMEDY.format(namespace=namespace, name=QUESTIONS.name)


async def look_up(client: Client) -> State:
    """By the operator's list where it may be read, and otherwise by a query that names the attribute."""
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError:
        return "there" if await _is_queryable(client) else "missing"
    if QUESTIONS.name not in listed.custom_attributes:
        return "missing"
    return "there" if listed.custom_attributes[QUESTIONS.name] == KIND else "other_type"


async def ensure(client: Client) -> None:
    """Adds the attribute where it is missing. Raises `SearchAttributeMissing` where that is not allowed."""
    state = await look_up(client)
    if state == "other_type":
        raise SearchAttributeMissing(
            f"Search attribute {QUESTIONS.name!r} of namespace {client.namespace!r} is of another type than "
            f"KeywordList. Remove it: temporal operator search-attribute remove --name {QUESTIONS.name}"
        )
    if state == "missing":
        await _add(client)


async def _add(client: Client) -> None:
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes={QUESTIONS.name: KIND})
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:  # another worker was quicker
            raise SearchAttributeMissing(
                f"Namespace {client.namespace!r} has no search attribute {QUESTIONS.name!r}, and this worker may not "
                f"add it: {error.message}. {remedy(client.namespace)}"
            ) from None
    try:
        async with asyncio.timeout(KNOWN_WITHIN):
            while not await _is_queryable(client):  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise SearchAttributeMissing(
            f"The search attribute {QUESTIONS.name!r} was added to namespace {client.namespace!r}, and the server does "
            f"not know it after {KNOWN_WITHIN:.0f} s. Start the worker again."
        ) from None


async def _is_queryable(client: Client) -> bool:
    """The server refuses a query that names an attribute which it does not know."""
    try:
        await client.count_workflows(f"{QUESTIONS.name} IS NOT NULL")
    except RPCError as error:
        if error.status == RPCStatusCode.INVALID_ARGUMENT:
            return False
        raise
    return True
