"""What the load files share: how a customer asks, and how an operator does."""

import os

import requests
from locust import FastHttpUser


class Customer(FastHttpUser):
    abstract = True

    def ask(self, method, path, *expected, name=None, json=None, key=None):
        """Sends a request: status and body of the answer.

        It is a failure unless its status, or the code of its problem, is one of the expected ones. Failures are counted
        by that word, so those that the shop was too `busy` for stand apart.
        """
        headers = {"idempotency-key": key} if key else {}
        request = self.client.request(method, path, name=name, json=json, headers=headers, catch_response=True)
        with request as response:
            body = (response.content and response.json()) or {}
            outcome = body.get("code", response.status_code)
            if outcome in expected:
                response.success()
            else:
                response.failure(str(outcome or response.error))
            return response.status_code, body


class Operator:
    """Who stocks the shop, if there is a token, and reads the books."""

    def __init__(self, environment):
        self.url = environment.host.rstrip("/")
        self.session = requests.Session()
        self.token = os.environ.get("OPERATOR_TOKEN", "")

    def ask(self, method, path, json=None, key=None):
        headers = {"authorization": f"Bearer {self.token}"}
        if key:
            headers["idempotency-key"] = key
        answer = self.session.request(method, self.url + path, json=json, headers=headers, timeout=60)
        return answer.status_code, answer.json()

    def stock(self, item_id, on_hand):
        """Makes an item, unless it is there."""
        status, body = self.ask("PUT", f"/inventory/{item_id}", {"unit_price": 1000, "on_hand": on_hand})
        if status != 201 and body.get("code") != "item_exists":
            raise SystemExit(f"{item_id} cannot be made: {body}")
