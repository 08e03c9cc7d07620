"""The activity `store`: operations on LangGraph's store. Runs in activities; its two messages also in workflows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, assert_never

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
    validate_op_namespace,
)
from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from activities.items import refuse_unknown_operators
from activities.late import refuse_unwanted
from activities.tool import types_of
from activities.wire import decode, encode
from agents.errors import NoStore
from agents.memory import SHARED, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langgraph.store.base import Op, Result

    from activities.items import Namespace
    from activities.wire import Types
    from agents.registry import Registry

    MakeStore = Callable[[Types, Namespace], BaseStore]

STORE = "store"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Get(_Message):
    op: Literal["get"] = "get"
    namespace: tuple[str, ...]
    key: str


class Put(_Message):
    """`value` is encoded; `None` deletes."""

    op: Literal["put"] = "put"
    namespace: tuple[str, ...]
    key: str
    value: Any
    index: Literal[False] | list[str] | None = None


class Search(_Message):
    """`filter` is encoded."""

    op: Literal["search"] = "search"
    namespace_prefix: tuple[str, ...]
    filter: Any = None
    limit: int
    offset: int
    query: str | None = None


class ListNamespaces(_Message):
    op: Literal["list"] = "list"
    match_conditions: tuple[MatchCondition, ...] | None = None
    max_depth: int | None = None
    limit: int
    offset: int


Operation = Annotated[Get | Put | Search | ListNamespaces, Field(discriminator="op")]


class FoundItem(_Message):
    """An `Item`, or a `SearchItem` with its score. `value` is encoded."""

    namespace: tuple[str, ...]
    key: str
    value: Any
    created_at: datetime
    updated_at: datetime
    score: float | None = None


class StoreRequest(_Message):
    """`scope` is the part of the store that the operations see."""

    agent: str
    scope: Scope = Field(default=SHARED, exclude_if=SHARED.__eq__)
    operations: list[Operation]


class StoreResponse(_Message):
    """One result an operation, in order."""

    results: list[FoundItem | list[FoundItem] | list[tuple[str, ...]] | None]


def operation_of(op: Op) -> Operation:
    """What crosses for LangGraph's own operation."""
    match op:
        case GetOp():
            return Get(namespace=op.namespace, key=op.key)
        case PutOp():
            value = None if op.value is None else encode(dict(op.value), path=shown(op.namespace, op.key))
            return Put(namespace=op.namespace, key=op.key, value=value, index=op.index)
        case SearchOp():
            return Search(**{**_fields(op, Search), "filter": encode(op.filter, path="filter")})
        case ListNamespacesOp():
            return ListNamespaces(**_fields(op, ListNamespaces))
        case _:
            assert_never(op)


def op_of(operation: Operation, types: Types) -> Op:
    """LangGraph's operation again."""
    match operation:
        case Get():
            return GetOp(operation.namespace, operation.key)
        case Put():
            return PutOp(operation.namespace, operation.key, decode(operation.value, types), operation.index)
        case Search():
            fields = dict(operation) | {"filter": decode(operation.filter, types)}
            return SearchOp(**{name: value for name, value in fields.items() if name != "op"})
        case ListNamespaces():
            return ListNamespacesOp(**{name: value for name, value in operation if name != "op"})
        case _:
            assert_never(operation)


def _fields(op: Any, message: type[_Message]) -> dict[str, Any]:
    return {name: getattr(op, name) for name in message.model_fields if name != "op"}


def shown(namespace: Namespace, key: str = "") -> str:
    return "/".join([*namespace, key] if key else namespace)


def checked(ops: Iterable[Op]) -> list[Op]:
    """Raises for what no attempt could do, as LangGraph's stores raise."""
    ops = list(ops)
    for op in ops:
        validate_op_namespace(op)
        if isinstance(op, SearchOp):
            refuse_unknown_operators(op.filter)
        if isinstance(op, PutOp) and op.ttl is not None:
            raise NotImplementedError("The store keeps items until they are deleted: it has no `ttl`.")
    return ops


def result_of(op: Op, found: Any, types: Types) -> Result:
    """LangGraph's own result again."""
    match op:
        case GetOp():
            return None if found is None else Item(**_item_fields(found, types))
        case SearchOp():
            return [SearchItem(**_item_fields(each, types), score=each.score) for each in found]
        case ListNamespacesOp():
            return [tuple(each) for each in found]
        case PutOp():
            return None
        case _:
            assert_never(op)


def _item_fields(found: FoundItem, types: Types) -> dict[str, Any]:
    return {**found.model_dump(exclude={"value", "score"}), "value": decode(found.value, types)}


class Stores:
    """The activity, with what it needs: `make` gives the part of the store below a namespace, for an agent that has
    these types.
    """

    def __init__(self, *, registry: Registry, make: MakeStore | None = None) -> None:
        self._registry = registry
        self._make = make
        self._types = {agent.name: types_of(agent) for agent in registry}

    def of(self, agent: str, scope: Scope) -> BaseStore:
        return self._make(self._types[agent], scope) if self._make else _NoStore()

    @activity.defn(name=STORE)
    async def store(self, request: StoreRequest) -> StoreResponse:
        if any(isinstance(operation, Put) for operation in request.operations):
            await refuse_unwanted()
        return await self.carry_out(request)

    async def carry_out(self, request: StoreRequest) -> StoreResponse:
        """For a step that has begun, too."""
        types = self._types[self._registry[request.agent].name]
        ops = [op_of(operation, types) for operation in request.operations]
        found = await self.of(request.agent, request.scope).abatch(ops)
        return StoreResponse(results=[_found(result) for result in found])


def _found(result: Result) -> Any:
    match result:
        case Item():
            fields = {name: getattr(result, name, None) for name in FoundItem.model_fields}
            return FoundItem(**{**fields, "value": encode(result.value, path=shown(result.namespace, result.key))})
        case list():
            return [_found(each) if isinstance(each, Item) else each for each in result]
        case _:
            return result


class _NoStore(BaseStore):
    """Stands where a worker was given no store, and says so to whoever uses it."""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        raise NoStore(
            f"This worker has no store for {len(list(ops))} operations. It keeps items in Weaviate: name one with "
            "PERDURE_WEAVIATE__URL, and pass `store=` where you make the worker yourself."
        )

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return self.batch(ops)
