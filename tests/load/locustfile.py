"""Ordinary traffic: customers look, order, pay, and now and then change their minds.

With OPERATOR_TOKEN there is more to sell than the few things that a new shop has.
"""

import random
from uuid import uuid4

from locust import between, events, task

from shop import Customer, Operator


@events.test_start.add_listener
def stock(environment, **_):
    operator = Operator(environment)
    if operator.token:
        for number in range(1, 11):
            operator.stock(f"load-{number}", 1_000_000)


class Shopper(Customer):
    wait_time = between(0.1, 1)

    def on_start(self):
        _, inventory = self.ask("GET", "/inventory", 200)
        self.items = [item["item_id"] for item in inventory["items"]]

    @task(1)
    def look_around(self):
        self.ask("GET", "/inventory", 200)

    @task(6)
    def look(self):
        self.ask("GET", f"/inventory/{random.choice(self.items)}", 200, name="/inventory/{item_id}")

    @task(3)
    def order(self):
        items = random.sample(self.items, random.choice([1, 1, 1, 2, 3]))
        lines = [{"item_id": item, "quantity": random.randint(1, 3)} for item in items]
        status, order = self.ask("POST", "/orders", 201, "insufficient_stock", json={"items": lines}, key=str(uuid4()))
        if status != 201:
            return
        path, name = f"/orders/{order['order_id']}", "/orders/{order_id}"
        self.wait()
        self.ask("GET", path, 200, name=name)
        if random.random() < 0.9:
            payment = {"method": "card", "amount": order["total"]}
            self.ask("POST", f"{path}/pay", 200, name=f"{name}/pay", json=payment)
        else:
            self.ask("POST", f"{path}/cancel", 200, name=f"{name}/cancel")
