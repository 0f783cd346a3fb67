"""What a customer and the operator do, with a client that is generated from the OpenAPI document."""

import os
from http import HTTPStatus
from uuid import uuid4

from shop import AuthenticatedClient, Client
from shop.api.inventory import get_item
from shop.api.orders import get_order, list_orders, place_order
from shop.api.payments import pay_order
from shop.models import (
    AmountMismatchProblem,
    ErrorInTheBody,
    InsufficientStockProblem,
    InvalidRequestProblem,
    Item,
    Order,
    OrderOfOneLine,
    OrderPage,
    OrderStatus,
    PaymentRequest,
    UnauthorizedProblem,
)

BASE_URL = os.environ["BASE_URL"]
TOKEN = os.environ["OPERATOR_TOKEN"]


def buy(customer: Client) -> Order:
    # Under the same key an order is placed once, however often it is sent.
    key = str(uuid4())
    body = OrderOfOneLine(item_id="item1", quantity=2, customer_id="python")
    order = place_order.sync(client=customer, body=body, idempotency_key=key)
    assert isinstance(order, Order), order
    assert order.status is OrderStatus.PENDING
    assert order.customer_id == "python"
    (line,) = order.items
    assert (line.item_id, line.quantity, 2 * line.unit_price) == ("item1", 2, order.total)

    again = place_order.sync_detailed(client=customer, body=body, idempotency_key=key)
    assert isinstance(again.parsed, Order), again
    assert again.parsed.order_id == order.order_id
    assert again.headers["idempotent-replayed"] == "true"

    assert get_order.sync(order.order_id, client=customer) == order

    # Too little is refused.
    refused = pay_order.sync_detailed(order.order_id, client=customer, body=PaymentRequest(amount=order.total - 1))
    assert refused.status_code is HTTPStatus.UNPROCESSABLE_ENTITY
    assert isinstance(refused.parsed, AmountMismatchProblem), refused
    assert refused.parsed.code == "amount_mismatch"
    assert refused.parsed.total == order.total

    payment = PaymentRequest(method="card", amount=order.total)
    paid = pay_order.sync(order.order_id, client=customer, body=payment)
    assert isinstance(paid, Order), paid
    assert paid.status is OrderStatus.PAID
    assert paid.payment and paid.payment.amount == order.total
    return paid


def ask_for_too_much(customer: Client) -> None:
    refused = place_order.sync_detailed(client=customer, body=OrderOfOneLine(item_id="item1", quantity=1_000_000))
    assert refused.status_code is HTTPStatus.CONFLICT
    assert isinstance(refused.parsed, InsufficientStockProblem), refused
    assert refused.parsed.code == "insufficient_stock"
    assert refused.parsed.requested == 1_000_000
    item = get_item.sync("item1", client=customer)
    assert isinstance(item, Item), item
    assert refused.parsed.available == item.available


def ask_for_nothing(customer: Client) -> None:
    refused = place_order.sync_detailed(client=customer, body=OrderOfOneLine(item_id="item1", quantity=0))
    assert refused.status_code is HTTPStatus.UNPROCESSABLE_ENTITY
    assert isinstance(refused.parsed, InvalidRequestProblem), refused
    assert refused.parsed.code == "invalid_request"
    (mistake,) = refused.parsed.errors
    assert isinstance(mistake, ErrorInTheBody), mistake
    assert mistake.pointer == "/quantity"


def list_paid(operator: AuthenticatedClient, newest: Order) -> None:
    page = list_orders.sync(client=operator, status=OrderStatus.PAID, limit=1)
    assert isinstance(page, OrderPage), page
    assert page.orders == [newest]

    stranger = AuthenticatedClient(BASE_URL, "guessed")
    refused = list_orders.sync(client=stranger)
    assert isinstance(refused, UnauthorizedProblem), refused
    assert refused.code == "unauthorized"


with Client(BASE_URL, raise_on_unexpected_status=True) as customer:
    paid = buy(customer)
    ask_for_too_much(customer)
    ask_for_nothing(customer)
with AuthenticatedClient(BASE_URL, TOKEN, raise_on_unexpected_status=True) as operator:
    list_paid(operator, paid)
