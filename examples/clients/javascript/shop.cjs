// Buy something: `node shop.cjs http` through the edge, `node shop.cjs grpc` through a sidecar of one's own, by Dapr's SDK.
//
// Reads SIDECART_EDGE_URL, DAPR_* (`sidecart env partner`) and SKU; prints one line of JSON.
"use strict";

const { randomUUID } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");

const PATIENCE_MS = 60_000;
const ADDRESS = { name: "Ada", line1: "12 Square", city: "London", postal_code: "SW1Y 4JH", country: "GB" };

/** A call was not let through; the message is the status that says so. */
class RefusedError extends Error {}

/** Call a service by app-id through the edge, with nothing but HTTP. */
async function overHttp(appId, verb, path, { body, query = "", headers = {} } = {}) {
  const answer = await fetch(`${process.env.SIDECART_EDGE_URL}/v1.0/invoke/${appId}/method/${path}?${query}`, {
    method: verb,
    headers: { ...headers, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new RefusedError(String(answer.status));
  return answer.json();
}

/** Return the same call over Dapr's gRPC API: headers travel as metadata. */
async function overGrpc() {
  const { CommunicationProtocolEnum, DaprClient } = require("@dapr/dapr");
  const { HTTPExtension_Verb: Verb } = require("@dapr/dapr/proto/dapr/proto/common/v1/common_pb");
  const sdk = new DaprClient({ communicationProtocol: CommunicationProtocolEnum.GRPC, logger: { level: "error" } });
  // Its `invoker` sends neither headers nor a query, so the call is made on the client below it.
  const dapr = await sdk.daprClient.getClient();
  return async (appId, verb, path, { body, query = "", headers = {} } = {}) => {
    const message = {
      method: path,
      httpExtension: { verb: Verb[verb], querystring: query },
      contentType: "application/json",
      data: { value: Buffer.from(body ? JSON.stringify(body) : "") },
    };
    try {
      const answer = await dapr.invokeService({ id: appId, message }, { headers });
      return JSON.parse(Buffer.from(answer.data.value).toString());
    } catch (error) {
      const [, code] = /^\[(\w+)\]/.exec(error.message) ?? []; // "[internal] failed to invoke ..."
      throw code ? new RefusedError(code.toUpperCase()) : error;
    }
  };
}

/** Register, sign in, buy, and look at what each service says of it. */
async function shop(call) {
  const account = { email: `ada-${randomUUID()}@example.org`, password: "a long and unusual password" };
  await call("users", "POST", "users", { body: account });
  const { access_token: token } = await call("users", "POST", "sessions", { body: account });
  const headers = { authorization: `Bearer ${token}` };
  const placed = await call("orders", "POST", "orders", {
    body: {
      lines: [{ sku: process.env.SKU, quantity: 1 }],
      shipping_address: ADDRESS,
      payment_method: "pm_card_visa",
    },
    headers: { ...headers, "idempotency-key": randomUUID() },
  });
  const paid = await until(
    () => call("orders", "GET", `orders/${placed.id}`, { headers }),
    (order) => order.status === "paid",
  );
  const payments = await call("payments", "GET", "payments", { query: `order_id=${placed.id}`, headers });
  const letters = await until(
    () => call("notifications", "GET", "notifications", { headers }),
    ({ items }) => items.length > 1,
  );
  return {
    order: paid.id,
    status: paid.status,
    captured: payments.items[0].captured,
    letters: letters.items.map(({ template }) => template).sort(),
    refused: await refusal(() => call("orders", "GET", "internal/orders/amount")),
  };
}

/** Return the status that an unlawful call ends with. */
async function refusal(attempt) {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof RefusedError) return error.message;
    throw error;
  }
  return "nothing";
}

/** Ask until the answer is enough. */
async function until(question, enough) {
  const limit = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await question();
    if (enough(answer)) return answer;
    if (Date.now() > limit) throw new Error(`waited in vain; last answer: ${JSON.stringify(answer)}`);
    await sleep(100);
  }
}

async function main(transport) {
  if (!["http", "grpc"].includes(transport)) throw new Error("usage: node shop.cjs http|grpc");
  const call = transport === "grpc" ? await overGrpc() : overHttp;
  console.log(JSON.stringify(await shop(call)));
}

main(process.argv[2]).then(
  () => process.exit(0), // the SDK keeps its connection open
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
