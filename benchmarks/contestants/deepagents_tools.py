"""The tools of `deepagents.py`, wrapped once per process: the sandbox passes this module through."""

from __future__ import annotations

from datetime import timedelta

from temporalio.deepagents import tool_as_activity

from benchmarks import chat, job

TIMEOUT = timedelta(minutes=1)
TOOLS = [tool_as_activity(tool, start_to_close_timeout=TIMEOUT) for tool in job.TOOLS]
CHAT_TOOLS = [tool_as_activity(chat.order_log, start_to_close_timeout=TIMEOUT)]
