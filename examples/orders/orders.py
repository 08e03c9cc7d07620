"""The agent of the README: it knows where orders are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain_core.tools import tool

from agents import Agent, Resources, durable

if TYPE_CHECKING:
    from langgraph.pregel import Pregel


@durable(effect="read")
@tool
def order_status(order_id: str) -> str:
    """Say where an order is."""
    return f"Order {order_id} is on its way."


def build(resources: Resources) -> Pregel[Any, Any, Any, Any]:
    return create_agent(resources.model(), resources.tools, system_prompt="You answer questions about orders.")


agent = Agent("orders", build, tools=[order_status], description="Answers questions about orders.")
