// What a customer and the operator do, with a client whose types are generated from the OpenAPI document.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { paths } from "./shop.js";

const { BASE_URL: baseUrl = "", OPERATOR_TOKEN: token = "" } = process.env;
const customer = createClient<paths>({ baseUrl });
const operator = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });

// Place an order. Under the same key it is placed once, however often it is sent.
const request = {
  params: { header: { "idempotency-key": randomUUID() } },
  body: { item_id: "item1", quantity: 2, customer_id: "typescript" },
};
const { data: order, error: refusal } = await customer.POST("/orders", request);
if (!order) throw new Error(`not placed: ${refusal.code}: ${refusal.detail}`);
assert.equal(order.status, "pending");
assert.equal(order.customer_id, "typescript");
const [line] = order.items;
assert(line);
assert.deepEqual([line.item_id, line.quantity, 2 * line.unit_price], ["item1", 2, order.total]);

const again = await customer.POST("/orders", request);
assert.equal(again.data?.order_id, order.order_id);
assert.equal(again.response.headers.get("idempotent-replayed"), "true");

// Look at it.
const params = { path: { order_id: order.order_id } };
const { data: shown } = await customer.GET("/orders/{order_id}", { params });
assert.deepEqual(shown, order);

// Pay: too little first, which is refused, then the total.
const tooLittle = await customer.POST("/orders/{order_id}/pay", { params, body: { amount: order.total - 1 } });
assert.equal(tooLittle.response.status, 422);
assert(tooLittle.error?.code === "amount_mismatch");
assert.equal(tooLittle.error.total, order.total);

const { data: paid } = await customer.POST("/orders/{order_id}/pay", {
  params,
  body: { method: "card", amount: order.total },
});
assert.equal(paid?.status, "paid");
assert.equal(paid.payment?.amount, order.total);

// More than there is.
const tooMuch = await customer.POST("/orders", { body: { item_id: "item1", quantity: 1_000_000 } });
assert.equal(tooMuch.response.status, 409);
assert(tooMuch.error?.code === "insufficient_stock");
assert.equal(tooMuch.error.requested, 1_000_000);
const { data: item } = await customer.GET("/inventory/{item_id}", { params: { path: { item_id: "item1" } } });
assert.equal(tooMuch.error.available, item?.available);

// An order of nothing.
const nothing = await customer.POST("/orders", { body: { item_id: "item1", quantity: 0 } });
assert.equal(nothing.response.status, 422);
assert(nothing.error?.code === "invalid_request");
const [mistake] = nothing.error.errors;
assert(mistake && "pointer" in mistake);
assert.equal(mistake.pointer, "/quantity");

// The operator's list, the newest first. Without the token it is refused.
const query = { status: "paid", limit: 1 } as const;
const { data: page } = await operator.GET("/orders", { params: { query } });
// It could have been CSV.
assert(typeof page === "object");
assert.deepEqual(page.orders, [paid]);
const { error: denied } = await customer.GET("/orders", { params: { query } });
assert.equal(denied?.code, "unauthorized");
