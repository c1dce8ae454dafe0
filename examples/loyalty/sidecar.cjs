// All that is asked of the world goes through the sidecar.
"use strict";

const SIDECAR = `http://127.0.0.1:${process.env.DAPR_HTTP_PORT}/v1.0`;
const STORE = `${SIDECAR}/state/points`;

function ask(url, { headers = {}, ...options } = {}) {
  return fetch(url, { ...options, headers: { ...headers, "dapr-api-token": process.env.DAPR_API_TOKEN } });
}

function expect(answer, what) {
  if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
  return answer;
}

/** Return the value under *key*, or undefined, with the etag it was read at. */
async function read(key) {
  const answer = expect(await ask(`${STORE}/${key}`), `reading ${key}`);
  return { value: answer.status === 204 ? undefined : await answer.json(), etag: answer.headers.get("etag") };
}

/** Store *value*, unless somebody else wrote since *etag* was read: that raises, and the event comes again. */
async function write(key, value, etag) {
  const entry = { key, value, options: { concurrency: "first-write" }, ...(etag && { etag }) };
  const headers = { "content-type": "application/json" };
  expect(await ask(STORE, { method: "POST", headers, body: JSON.stringify([entry]) }), `storing ${key}`);
}

/** Return whether the sidecar and what it needs are up. */
async function isUp() {
  return (await ask(`${SIDECAR}/healthz/outbound`)).ok;
}

/** Return whom an access token speaks for, or null: orders checks it, so that this service needs no keys. */
async function customerOf(authorization) {
  const answer = await ask(`${SIDECAR}/invoke/orders/method/orders?limit=1`, { headers: { authorization } });
  if (answer.status === 401) return null;
  expect(answer, "asking orders");
  const [, claims] = authorization.split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString()).sub;
}

module.exports = { customerOf, isUp, read, write };
