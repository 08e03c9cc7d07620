"""What the support agent does in the shop. The bodies run as activities, in processes of their own."""

from __future__ import annotations

from datetime import timedelta

from langchain_core.tools import ToolException, tool

from agents.approval import Approval
from agents.idempotency import idempotency_key
from agents.options import durable
from agents.support.shop import NoSuchOrder, TooMuch, euros, open_shop


@durable(effect="read")
@tool
def look_up_order(order: str) -> str:
    """Say what an order, such as A-1001, is, what it cost, where it is and what was paid back for it."""
    with open_shop() as shop:
        try:
            found = shop.order(order)
        except NoSuchOrder as error:
            return str(error)
    refunded = f" {euros(found.refunded)} were paid back." if found.refunded else ""
    return f"Order {found.id}: {found.article}, {euros(found.cents)}, {found.status}.{refunded}"


@durable(effect="idempotent", approve=Approval("always", expires=timedelta(days=2), on_expiry="reject"))
@tool
def refund(order: str, cents: int, reason: str) -> str:
    """Pay `cents` (hundredths of a euro) back for an order. A person approves it first; say why in `reason`."""
    if not reason.strip():
        raise ToolException("Say why the money is paid back.")
    with open_shop() as shop:
        try:
            shop.refund(order, cents, key=idempotency_key())
        except (NoSuchOrder, TooMuch) as error:
            return str(error)
    return f"{euros(cents)} were paid back for order {order}."


TOOLS = (look_up_order, refund)
