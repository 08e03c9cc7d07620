"""What an agent is. Plain LangGraph: nothing here knows Temporal, a database or a vendor."""

from agents.agent import Agent, LiveResources, Resources
from agents.approval import Approval
from agents.compaction import Compaction
from agents.idempotency import idempotency_key
from agents.options import Done, StepOptions, ToolOptions, durable, step_config
from agents.registry import Registry

__all__ = [
    "Agent",
    "Approval",
    "Compaction",
    "Done",
    "LiveResources",
    "Registry",
    "Resources",
    "StepOptions",
    "ToolOptions",
    "durable",
    "idempotency_key",
    "step_config",
]
