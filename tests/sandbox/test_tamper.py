"""Changing what a task cost, as a vendor may do behind everybody's back."""

from typing import Any

import httpx
import pytest

from .conftest import Customer

pytestmark = pytest.mark.route


def tamper(customer: Customer, **change: Any) -> httpx.Response:
    return httpx.post(f"{customer.url}/_sandbox/tamper", json=change)


def test_a_task_costs_what_it_is_changed_to(customer: Customer) -> None:
    task_id = customer.made()
    before = customer.finished(task_id)["credits"]
    assert tamper(customer, vendor="vidu", id=task_id, amount=before + 5).status_code == 200
    assert customer.query(task_id)["credits"] == before + 5
    assert [row["credits"] for row in customer.listed()] == [before + 5]
    assert customer.books()["charged"] == before + 5


@pytest.mark.parametrize("amount", ["5", -1, 1.5, None, True, 2**60])
def test_an_amount_is_a_whole_number(customer: Customer, amount: Any) -> None:
    assert tamper(customer, vendor="vidu", id="1", amount=amount).status_code == 400


def test_nothing_else_is_taken(customer: Customer) -> None:
    assert tamper(customer, vendor="vidu", id="1", amount=1).status_code == 404
    assert tamper(customer, vendor="vidu", id="1", amount=1, more=1).status_code == 400
    assert httpx.post(f"{customer.url}/_sandbox/tamper", json=[1]).status_code == 400
