"""What an agent is. Plain LangGraph: nothing here knows Temporal, a database or a vendor."""

from agents.agent import Agent, LiveResources, Resources, StepOptions
from agents.registry import Registry

__all__ = ["Agent", "LiveResources", "Registry", "Resources", "StepOptions"]
