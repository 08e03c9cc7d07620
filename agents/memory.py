"""Whose memories a run reads and writes: the part of the store that its graph, its tools and its nodes see."""

from __future__ import annotations

from typing import Literal, get_args

Memory = Literal["user", "tenant", "shared"]
"""Whom an agent's memories belong to: each user, all users of a tenant, or everybody."""

MEMORIES = get_args(Memory)

Scope = tuple[str, ...]
"""The first labels of all namespaces that a run uses, unseen by its graph. No scope begins with another one, so what a
graph makes up for a namespace stays within its own.
"""

SHARED: Scope = ("shared",)


def scope_of(memory: Memory, tenant: str | None, user: str | None) -> Scope:
    """A run that names no user has its tenant's memories, and one that names no tenant, either, those of everybody."""
    if memory == "user" and user:
        return ("user", tenant or "", user)
    if memory != "shared" and tenant:
        return ("tenant", tenant)
    return SHARED
