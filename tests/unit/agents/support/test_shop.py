"""The shop's file: orders, and refunds that are paid once."""

import threading

import pytest

from agents.support.shop import NoSuchOrder, TooMuch, open_shop


@pytest.fixture
def file(tmp_path):
    return tmp_path / "new" / "shop.db"


def test_an_order_is_found_however_it_is_written(file) -> None:
    with open_shop(file) as shop:
        assert shop.order(" a-1001 ").article == "Desk lamp"


def test_an_unknown_order_is_named(file) -> None:
    with open_shop(file) as shop, pytest.raises(NoSuchOrder, match=r"'B-7'.*A-1001"):
        shop.order("B-7")


def test_a_refund_is_paid_once_for_each_key(file) -> None:
    for key in ("first", "first", "second"):
        with open_shop(file) as shop:
            shop.refund("A-1001", 1_000, key=key)

    with open_shop(file) as shop:
        assert shop.order("A-1001").refunded == 2_000


@pytest.mark.parametrize("cents", [0, -100, 4_901])
def test_no_more_is_paid_back_than_was_paid(file, cents) -> None:
    with pytest.raises(TooMuch, match=r"49\.00 EUR"), open_shop(file) as shop:
        shop.refund("A-1001", cents, key="key")

    with open_shop(file) as shop:
        assert shop.order("A-1001").refunded == 0


def test_refunds_at_the_same_time_do_not_exceed_the_price(file) -> None:
    refused = []

    def pay(key: str) -> None:
        try:
            with open_shop(file) as shop:
                shop.refund("A-1001", 1_000, key=key)
        except TooMuch as error:
            refused.append(error)

    threads = [threading.Thread(target=pay, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with open_shop(file) as shop:
        assert shop.order("A-1001").refunded == 4_000
    assert len(refused) == 4
