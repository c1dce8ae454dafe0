"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { credit, reader, statement } = require("../points.cjs");

const trouble = reader(path.join(__dirname, "../../../docs/schemas"), "order-paid");
const CUSTOMER = "0198c5b2-7d1e-7c3a-9f55-3a1c2b4d5e6f";

function paid(id, amount, more = {}) {
  const total = { amount, currency: "EUR" };
  const line = { sku: "tea", name: "Tea", quantity: 1, unit_price: total };
  const data = { version: 1, sequence: 2, order_id: CUSTOMER, customer_id: CUSTOMER, number: "A-1", total, lines: [line] };
  return { id, data: { ...data, paid_at: "2026-01-31T12:00:00Z", ...more } };
}

test("an event of the published shape is read", () => {
  assert.equal(trouble(paid("1", 1999)), null);
});

test("fields that a later release adds are ignored", () => {
  assert.equal(trouble(paid("1", 1999, { gift_wrapped: true })), null);
});

for (const [what, more] of [
  ["a text for an amount", { total: { amount: "1999", currency: "EUR" } }],
  ["no customer", { customer_id: undefined }],
  ["an unknown version", { version: 2 }],
]) {
  test(`${what} is told as trouble`, () => assert.notEqual(trouble(paid("1", 1999, more)), null));
}

for (const body of [null, "text", {}, { data: paid("1", 1).data }]) {
  test(`${JSON.stringify(body)?.slice(0, 20)} is no event`, () => assert.notEqual(trouble(body), null));
}

test("each order adds a point for each whole hundred", () => {
  const account = credit(credit(undefined, paid("1", 1999)), paid("2", 301));
  assert.deepEqual(statement(account), { points: 22, credits: [{ order: "A-1", points: 19 }, { order: "A-1", points: 3 }] });
});

test("an event that comes twice counts once", () => {
  const once = credit(undefined, paid("1", 1999));
  assert.equal(credit(once, paid("1", 1999)), once);
});

test("whoever bought nothing has no points", () => {
  assert.deepEqual(statement(undefined), { points: 0, credits: [] });
});
