"""Stripe's own client does with a stand-in what a shop does with Stripe.

Prints what fails, and nothing else. Takes the address of a stand-in with its usual keys."""

import hashlib
import hmac
import http.server
import json
import queue
import sys
import threading
import time
import traceback
import urllib.request

import stripe

KEY = "sk_test_stand_in_no_money_moves"
SECRET = "whsec_stand_in_no_money_moves"
PATIENCE = 30


class Hooks(http.server.BaseHTTPRequestHandler):
    """Takes webhooks."""

    arrived = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.arrived.put((body, self.headers.get("stripe-signature")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Shop:
    """What all checks use."""

    def __init__(self, url):
        self.url = url
        self.client = self.with_key(KEY)
        self.sessions = self.client.v1.checkout.sessions
        self.refunds = self.client.v1.refunds
        self.intents = self.client.v1.payment_intents
        self.disputes = self.client.v1.disputes

    def with_key(self, key):
        return stripe.StripeClient(key, base_addresses={"api": self.url}, max_network_retries=0)

    def control(self, path, **settings):
        body = json.dumps(settings).encode() if settings else b""
        request = urllib.request.Request(f"{self.url}/stand-in/{path}", data=body, method="POST")
        request.add_header("authorization", f"Bearer {KEY}")
        return json.loads(urllib.request.urlopen(request, timeout=PATIENCE).read())

    def buyer(self, act, session):
        self.control(f"sessions/{session.id}/{act}")

    def disputed(self, session, **settings):
        return self.disputes.retrieve(self.control(f"sessions/{session.id}/dispute", **settings)["id"])

    def bank(self, act, dispute):
        self.control(f"disputes/{dispute.id}/{act}")
        return self.disputes.retrieve(dispute.id)

    @staticmethod
    def params(order, **other):
        return {
            "mode": "payment",
            "client_reference_id": order,
            "metadata": {"order_id": order},
            "payment_intent_data": {"metadata": {"order_id": order}, "description": f"order {order}"},
            "success_url": "http://shop.example/back?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.example/cancelled",
            "expires_at": int(time.time()) + 3600,
            "line_items": [
                {
                    "quantity": 2,
                    "price_data": {"currency": "cny", "unit_amount": 1000, "product_data": {"name": f"item {number}"}},
                }
                for number in range(2)
            ],
            **other,
        }

    def open(self, order, **other):
        return self.sessions.create(self.params(order, **other))

    def paid(self, order):
        session = self.open(order)
        self.buyer("pay", session)
        return self.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})


def raises(kind, call, **members):
    """The error that a call raises is of this class, and no other, and has these members."""
    try:
        call()
    except stripe.StripeError as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        for name, value in members.items():
            assert getattr(error, name) == value, f"{name} is {getattr(error, name)!r}: {error}"
        answered = "error" in (error.json_body or {})
        assert not answered or error.headers.get("request-id"), "there is no request id"
        return error
    raise AssertionError(f"no {kind.__name__}")


def sessions_are_opened_looked_at_and_expired(shop):
    session = shop.open("o-1", expand=["line_items"])
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 4000)
    assert [line.amount_total for line in session.line_items.data] == [2000, 2000]
    assert urllib.request.urlopen(session.url).status == 200
    assert shop.sessions.retrieve(session.id).id == session.id
    expired = shop.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    error = raises(stripe.InvalidRequestError, lambda: shop.sessions.expire(session.id), http_status=400)
    assert "has a status of `expired`" in str(error)


def a_paid_session_has_a_charge(shop):
    session = shop.paid("o-2")
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert (session.payment_intent.status, session.payment_intent.amount_received) == ("succeeded", 4000)
    assert session.payment_intent.latest_charge.payment_method_details.type == "card"
    assert session.payment_intent.metadata["order_id"] == "o-2"
    assert shop.intents.retrieve(session.payment_intent.id).latest_charge == session.payment_intent.latest_charge.id


def a_declined_and_a_delayed_payment_are_told_apart(shop):
    session = shop.open("o-3")
    shop.buyer("decline", session)
    session = shop.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (session.status, session.payment_intent.status) == ("open", "requires_payment_method")
    assert session.payment_intent.last_payment_error.code == "card_declined"
    shop.buyer("pay-later", session)
    session = shop.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    assert session.payment_intent.status == "processing"
    shop.buyer("fail", session)
    assert shop.sessions.retrieve(session.id).payment_status == "unpaid"
    session = shop.open("o-3")
    shop.buyer("pay-later", session)
    shop.buyer("settle", session)
    assert shop.sessions.retrieve(session.id).payment_status == "paid"


def refunds_add_up(shop):
    session = shop.paid("o-4")
    intent = session.payment_intent.id
    part = shop.refunds.create({"payment_intent": intent, "amount": 1500, "metadata": {"refund_id": "r-1"}})
    assert (part.status, part.amount, part.metadata["refund_id"]) == ("succeeded", 1500, "r-1")
    more = {"payment_intent": intent, "amount": 2501}
    raises(stripe.InvalidRequestError, lambda: shop.refunds.create(more), http_status=400, param="amount")
    rest = shop.refunds.create({"charge": session.payment_intent.latest_charge.id, "reason": "requested_by_customer"})
    assert rest.amount == 2500
    again = lambda: shop.refunds.create({"payment_intent": intent})
    raises(stripe.InvalidRequestError, again, http_status=400, code="charge_already_refunded")
    listed = shop.refunds.list({"payment_intent": intent, "limit": 1})
    assert [refund.id for refund in listed.auto_paging_iter()] == [rest.id, part.id]
    assert shop.refunds.retrieve(part.id, {"expand": ["charge"]}).charge.amount_refunded == 4000
    shop.control(f"refunds/{part.id}/fail")
    assert shop.refunds.retrieve(part.id).status == "failed"
    shop.control("settings", faults=["refund-pending*1"])
    pending = shop.refunds.create({"payment_intent": intent})
    assert (pending.status, pending.amount) == ("pending", 1500)


def a_dispute_takes_the_money_and_may_give_it_back(shop):
    session = shop.paid("o-16")
    intent = session.payment_intent
    dispute = shop.disputed(session)
    assert dispute.id.startswith("du_1") and dispute.charge == intent.latest_charge.id
    assert (dispute.amount, dispute.currency, dispute.payment_intent) == (4000, "cny", intent.id)
    assert (dispute.status, dispute.is_charge_refundable) == ("needs_response", False)
    assert dispute.metadata.to_dict() == {}
    assert [moved.amount for moved in dispute.balance_transactions] == [-4000]
    assert dispute.evidence_details.due_by > time.time()
    refund = lambda: shop.refunds.create({"payment_intent": intent.id, "amount": 100})
    error = raises(stripe.InvalidRequestError, refund, http_status=400, code="charge_disputed")
    assert "has been charged back" in str(error)
    expanded = shop.disputes.retrieve(dispute.id, {"expand": ["payment_intent", "charge"]})
    assert expanded.payment_intent.metadata["order_id"] == "o-16"
    assert expanded.charge.disputed
    answered = shop.bank("answer", dispute)
    assert (answered.status, answered.evidence_details.submission_count) == ("under_review", 1)
    lost = shop.bank("lose", dispute)
    assert (lost.status, lost.is_charge_refundable) == ("lost", False)
    raises(stripe.InvalidRequestError, refund, http_status=400, code="charge_disputed")
    won = shop.bank("win", dispute)
    assert (won.status, won.is_charge_refundable) == ("won", True)
    assert [moved.amount for moved in won.balance_transactions] == [-4000, 4000]
    assert refund().status == "succeeded"


def an_inquiry_takes_nothing_before_it_is_escalated(shop):
    session = shop.paid("o-17")
    inquiry = shop.disputed(session, amount=1000, inquiry=True)
    assert (inquiry.status, inquiry.amount, inquiry.is_charge_refundable) == ("warning_needs_response", 1000, True)
    assert (inquiry.payment_method_details.card.case_type, inquiry.balance_transactions) == ("inquiry", [])
    shop.refunds.create({"payment_intent": session.payment_intent.id, "amount": 100})
    assert shop.bank("answer", inquiry).status == "warning_under_review"
    escalated = shop.bank("escalate", inquiry)
    assert (escalated.status, escalated.payment_method_details.card.case_type) == ("needs_response", "chargeback")
    closed = shop.disputed(session, amount=1000, inquiry=True)
    assert shop.bank("win", closed).status == "warning_closed"
    prevented = shop.bank("prevent", shop.disputed(session, amount=1000))
    assert (prevented.status, prevented.is_charge_refundable) == ("prevented", False)
    listed = shop.disputes.list({"payment_intent": session.payment_intent.id, "limit": 1, "expand": ["data.charge"]})
    assert listed.data[0].charge.id == session.payment_intent.latest_charge.id
    expected = [prevented.id, closed.id, inquiry.id]
    assert [dispute.id for dispute in listed.auto_paging_iter()] == expected
    of_charge = shop.disputes.list({"charge": session.payment_intent.latest_charge.id, "created": {"gte": 1}})
    assert [dispute.id for dispute in of_charge.data] == expected
    unknown = lambda: shop.disputes.retrieve("du_1")
    raises(stripe.InvalidRequestError, unknown, http_status=404, code="resource_missing", param="dispute")


def lists_are_read_page_by_page(shop):
    opened = [shop.open(f"p-{number}").id for number in range(5)]
    listed = shop.sessions.list({"limit": 2, "status": "open", "expand": ["data.payment_intent"]})
    assert (len(listed.data), listed.has_more) == (2, True)
    found = [session.id for session in listed.auto_paging_iter() if session.client_reference_id.startswith("p-")]
    assert found == opened[::-1], "the newest first, each once"
    before = shop.sessions.list({"ending_before": opened[0], "limit": 3})
    assert [session.id for session in before.data] == opened[3:0:-1]
    created = shop.intents.list({"created": {"gte": int(time.time()) + 100}})
    assert created.data == []
    assert shop.intents.list({"limit": 1}).has_more
    raises(stripe.InvalidRequestError, lambda: shop.sessions.list({"limit": 101}), http_status=400, param="limit")


def keys_are_remembered(shop):
    params, options = shop.params("o-5"), {"idempotency_key": "order-o-5-attempt-0"}
    first = shop.sessions.create(params, options)
    again = shop.sessions.create(params, options)
    assert first.id == again.id
    assert first.last_response.headers.get("idempotent-replayed") is None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    other = lambda: shop.sessions.create(shop.params("o-6"), options)
    raises(stripe.IdempotencyError, other, http_status=400)
    shop.control("forget-keys")
    assert shop.sessions.create(params, options).id != first.id


def a_key_in_use_is_a_conflict(shop):
    params, options = shop.params("o-7"), {"idempotency_key": "in-use"}
    shop.control("settings", faults=["late=1000@create*1"])
    first = threading.Thread(target=lambda: shop.sessions.create(params, options))
    first.start()
    time.sleep(0.3)
    second = lambda: shop.sessions.create(params, options)
    # The client has no class of its own for it.
    error = raises(stripe.APIError, second, http_status=409)
    assert error.json_body["error"]["code"] == "idempotency_key_in_use"
    first.join()
    assert shop.sessions.create(params, options).last_response.headers["idempotent-replayed"] == "true"


def errors_are_of_the_right_class(shop):
    invalid = stripe.InvalidRequestError
    create = lambda **other: lambda: shop.open("o-8", **other)
    raises(invalid, create(mode="gift"), http_status=400, param="mode")
    raises(invalid, create(success_url="nowhere"), http_status=400, code="url_invalid", param="success_url")
    raises(invalid, create(line_items=[]), http_status=400, code="parameter_missing", param="line_items")
    raises(invalid, create(expires_at=int(time.time()) + 60), http_status=400, param="expires_at")
    raises(invalid, create(colour="red"), http_status=400, code="parameter_unknown", param="colour")
    small = [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 49, "product_data": {"name": "x"}}}]
    raises(invalid, create(line_items=small), http_status=400, code="amount_too_small")
    raises(invalid, lambda: shop.sessions.retrieve("cs_test_1"), http_status=404, code="resource_missing")
    raises(invalid, lambda: shop.refunds.create({"payment_intent": "pi_1"}), http_status=404, code="resource_missing")
    wrong = shop.with_key("sk_test_another_account").v1.checkout.sessions
    error = raises(stripe.AuthenticationError, lambda: wrong.list(), http_status=401)
    assert "another_account" not in str(error)
    for fault, kind, status in [
        ("rate-limit", stripe.RateLimitError, 429),
        ("lock-timeout", stripe.RateLimitError, 429),
        ("error-before", stripe.APIError, 500),
        ("unavailable", stripe.APIError, 503),
        ("drop-after", stripe.APIConnectionError, None),
        ("cut-off", stripe.APIConnectionError, None),
        ("nonsense", stripe.APIError, 200),
    ]:
        shop.control("settings", faults=[f"{fault}@create*1"])
        raises(kind, create(), http_status=status)


def what_should_be_repeated_is_repeated(shop):
    patient = stripe.StripeClient(KEY, base_addresses={"api": shop.url}, max_network_retries=2)
    for fault in ["lock-timeout@create*2", "unavailable@create*1", "drop-after@create*1", "drop-before@create*2"]:
        shop.control("settings", faults=[fault])
        before = len(shop.sessions.list({"limit": 100}).data)
        patient.v1.checkout.sessions.create(shop.params("o-9"))
        assert len(shop.sessions.list({"limit": 100}).data) == before + 1, fault
    shop.control("settings", faults=["error-after@create*1"])
    # The client is told not to repeat what it would only be told again.
    raises(stripe.APIError, lambda: patient.v1.checkout.sessions.create(shop.params("o-9")), http_status=500)


def webhooks_are_signed_as_the_client_checks_it(shop):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop.control("settings", webhook_url=f"http://127.0.0.1:{server.server_port}/events")
    # What has happened before comes first.
    time.sleep(0.5)
    while not Hooks.arrived.empty():
        Hooks.arrived.get()

    def told(order, fault=None):
        shop.control("settings", faults=[fault] if fault else [])
        session = shop.open(order)
        shop.buyer("pay", session)
        return session, *Hooks.arrived.get(timeout=PATIENCE)

    session, body, signature = told("o-10")
    event = stripe.Webhook.construct_event(body, signature, SECRET)
    assert (event.type, event.data.object.id) == ("checkout.session.completed", session.id)
    assert event.data.object.client_reference_id == "o-10"
    assert shop.client.construct_event(body, signature, SECRET).id == event.id
    assert shop.client.v1.events.retrieve(event.id).type == event.type
    listed = shop.client.v1.events.list({"type": "checkout.session.completed", "limit": 1})
    assert listed.data[0].id == event.id
    stamp = signature.split(",")[0].removeprefix("t=")
    own = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == f"t={stamp},v1={own}"
    for fault in ["wrong-secret*1", "old-timestamp*1", "unsigned*1"]:
        _, body, signature = told("o-11", fault)
        refused = lambda: stripe.Webhook.construct_event(body, signature or "", SECRET)
        try:
            refused()
        except stripe.SignatureVerificationError:
            continue
        raise AssertionError(f"{fault} was taken")
    session, body, signature = told("o-12", "other-account*1")
    event = stripe.Webhook.construct_event(body, signature, SECRET)
    assert event.account.startswith("acct_") and event.data.object.id != session.id
    # A secret that is rolled.
    shop.control("settings", webhook_secrets=["whsec_new", SECRET])
    _, body, signature = told("o-13")
    for secret in ["whsec_new", SECRET]:
        stripe.Webhook.construct_event(body, signature, secret)
    shop.control("settings", webhook_secrets=[SECRET])
    # The other kinds.
    kinds = set()
    later = shop.open("o-14")
    for act in ["pay-later", "settle"]:
        shop.buyer(act, later)
        kinds.add(json.loads(Hooks.arrived.get(timeout=PATIENCE)[0])["type"])
    shop.sessions.expire(shop.open("o-15").id)
    kinds.add(json.loads(Hooks.arrived.get(timeout=PATIENCE)[0])["type"])
    intent = shop.sessions.retrieve(later.id).payment_intent
    expected = {f"checkout.session.{kind}" for kind in ["completed", "async_payment_succeeded", "expired"]}
    assert kinds == expected, kinds
    refund = shop.refunds.create({"payment_intent": intent})
    kinds = {json.loads(Hooks.arrived.get(timeout=PATIENCE)[0])["type"] for _ in range(2)}
    assert kinds == {"refund.created", "charge.refunded"}, kinds
    # It fails after it had succeeded.
    shop.control(f"refunds/{refund.id}/fail")
    kinds = {json.loads(Hooks.arrived.get(timeout=PATIENCE)[0])["type"] for _ in range(3)}
    assert kinds == {"refund.updated", "charge.refund.updated", "refund.failed"}, kinds
    # Of disputes: all that are, of a charge and of an inquiry.
    kinds = set()
    dispute = shop.disputed(later, amount=1000)
    inquiry = shop.disputed(later, inquiry=True)
    for act, of in [("escalate", inquiry), ("win", dispute)]:
        shop.bank(act, of)
    for _ in range(7):
        body, signature = Hooks.arrived.get(timeout=PATIENCE)
        event = stripe.Webhook.construct_event(body, signature, SECRET)
        assert event.data.object.object == "dispute" and event.data.object.id in (dispute.id, inquiry.id)
        kinds.add(event.type.removeprefix("charge.dispute."))
    assert kinds == {"created", "funds_withdrawn", "updated", "funds_reinstated", "closed"}, kinds
    shop.control("settings", webhook_url="")
    # All of them, so that each is recorded.
    assert list(shop.client.v1.events.list({"limit": 100}).auto_paging_iter())


CHECKS = [
    sessions_are_opened_looked_at_and_expired,
    a_paid_session_has_a_charge,
    a_declined_and_a_delayed_payment_are_told_apart,
    refunds_add_up,
    a_dispute_takes_the_money_and_may_give_it_back,
    an_inquiry_takes_nothing_before_it_is_escalated,
    lists_are_read_page_by_page,
    keys_are_remembered,
    a_key_in_use_is_a_conflict,
    errors_are_of_the_right_class,
    what_should_be_repeated_is_repeated,
    webhooks_are_signed_as_the_client_checks_it,
]


def main(url):
    shop = Shop(url)
    failed = 0
    for check in CHECKS:
        shop.control("settings", faults=[])
        try:
            check(shop)
        except Exception:
            failed += 1
            print(f"{check.__name__}:\n{traceback.format_exc()}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
