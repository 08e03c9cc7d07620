"""DurableStore: LangGraph's store, whose operations are an activity. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, PutOp, SearchOp

from activities.store import STORE, StoreRequest, StoreResponse, checked, operation_of, result_of, shown
from workflows.run import current_run
from workflows.steps import async_only, execute_step, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langgraph.store.base import Op, Result

    from activities.wire import Types


class DurableStore(BaseStore):
    """What `runtime.store`, `get_store()` and `InjectedStore` give to nodes. Values have these types."""

    def __init__(self, types: Types) -> None:
        self._types = types

    batch = async_only

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        run = current_run()
        asked = checked(ops)
        request = StoreRequest(agent=run.agent.name, scope=run.scope, operations=[operation_of(op) for op in asked])
        response = await execute_step(
            STORE, request, StoreResponse, options=run.agent.store_step, summary=_summary(asked)
        )
        return [result_of(op, found, self._types) for op, found in zip(asked, response.results, strict=True)]


def _summary(ops: Sequence[Op]) -> str:
    return ", ".join(map(_said, ops))


def _said(op: Op) -> str:
    match op:
        case GetOp():
            return f"get {shown(op.namespace, op.key)}"
        case PutOp():
            return f"{'delete' if op.value is None else 'put'} {shown(op.namespace, op.key)}"
        case SearchOp():
            asked = f" · “{shorten(op.query, 60)}”" if op.query else ""
            return f"search {shown(op.namespace_prefix)}{asked}"
        case ListNamespacesOp():
            return "list namespaces"
        case _:
            assert_never(op)
