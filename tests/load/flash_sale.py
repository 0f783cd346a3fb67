"""A flash sale: many customers want the few units of one item. Once they are done the books are read.

It fails (exit code 1) if more was sold than there was, if an order that a customer was told of is not there, or if the
stock is not what the orders make it. It makes an item for itself, with OPERATOR_TOKEN; `--item` takes one that is there
and that nobody else sells.
"""

import logging
import random
from datetime import datetime, timezone
from uuid import uuid4

from locust import between, events, task

from shop import Customer, Operator

log = logging.getLogger("flash sale")


@events.init_command_line_parser.add_listener
def options(parser):
    parser.add_argument("--item", default="", help="what is sold; without it, something new")
    parser.add_argument("--units", type=int, default=200, help="how many there are of what is new")


class Sale:
    """What is sold, and what customers were told."""

    def __init__(self, environment):
        self.operator = Operator(environment)
        chosen = environment.parsed_options
        self.item = chosen.item or f"flash-{uuid4()}"
        if not chosen.item:
            self.operator.stock(self.item, chosen.units)
        self.units = self.stock()["available"]
        # By the key of the request: how many a customer wants who was not answered yet.
        self.unanswered = {}
        # By the id of an order: how many, and what was said last.
        self.told = {}

    def stock(self):
        return self.operator.ask("GET", f"/inventory/{self.item}")[1]

    def wants(self, quantity):
        """Notes a wish, which may be sent as often as it takes: its body and its key."""
        key = str(uuid4())
        self.unanswered[key] = quantity
        return {"item_id": self.item, "quantity": quantity}, key

    def answered(self, key, status, order):
        """Notes what came of a wish. What a server that failed may have done stays open."""
        if status == 201:
            self.told[order["order_id"]] = (self.unanswered.pop(key), order["status"])
        elif 400 <= status < 500:
            del self.unanswered[key]

    def decided(self, order_id, status, order):
        """Notes what came of a payment or a cancellation. What was refused changes nothing; a failure may have."""
        quantity, told = self.told[order_id]
        told = order["status"] if status == 200 else told if 400 <= status < 500 else None
        self.told[order_id] = (quantity, told)

    def broken(self):
        """What is wrong with the books."""
        for key, quantity in list(self.unanswered.items()):
            self.answered(key, *self.operator.ask("POST", "/orders", {"item_id": self.item, "quantity": quantity}, key))
        broken = [f"nobody knows whether {quantity} were ordered" for quantity in self.unanswered.values()]
        promised = expired = 0
        for order_id, (quantity, told) in self.told.items():
            http, order = self.operator.ask("GET", f"/orders/{order_id}")
            status = order.get("status") if http == 200 else order.get("code")
            promised += quantity if status in ("pending", "paid") else 0
            expired += quantity if status == "expired" else 0
            if status not in allowed(told, order):
                broken.append(f"order lost: {order_id} was {told}, and now it is {status}")
        stock = self.stock()
        gone = self.units - stock["available"]
        if promised > self.units:
            broken.append(f"oversold: {promised} are promised, of {self.units}")
        # What has expired counts as available once it was looked at.
        if not promised <= gone <= promised + expired:
            broken.append(f"{promised} are promised and {gone} are gone: {stock}")
        log.info("of %d units %d are promised, by %d orders", self.units, promised, len(self.told))
        return broken


def allowed(told, order):
    """What an order may have become of which this was said last."""
    if told in ("paid", "cancelled"):
        return [told]
    expired = order.get("expires_at", "9") <= datetime.now(timezone.utc).isoformat()
    undecided = ["pending", "expired"] if expired else ["pending"]
    return undecided if told else [*undecided, "paid", "cancelled"]


@events.test_start.add_listener
def begin(environment, **_):
    # Who was not told what came of a request would have to ask again: so all may finish what they are at.
    environment.stop_timeout = max(environment.stop_timeout or 0, 30)
    Buyer.sale = Sale(environment)


@events.test_stop.add_listener
def end(environment, **_):
    broken = Buyer.sale.broken()
    for line in broken:
        log.error(line)
    if broken:
        environment.process_exit_code = 1


class Buyer(Customer):
    wait_time = between(0.1, 1)
    sale = None

    @task
    def buy(self):
        wish, key = self.sale.wants(random.choice([1, 1, 1, 2]))
        status, order = self.ask("POST", "/orders", 201, "insufficient_stock", json=wish, key=key)
        self.sale.answered(key, status, order)
        if status != 201:
            return
        self.wait()
        # Most pay. Of the others some give back what they have, for other customers.
        step = random.choices(["pay", "cancel", None], [6, 3, 1])[0]
        if step:
            order_id = order["order_id"]
            path, name = f"/orders/{order_id}/{step}", f"/orders/{{order_id}}/{step}"
            self.sale.decided(order_id, *self.ask("POST", path, 200, name=name))
