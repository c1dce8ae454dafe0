// Loyalty: a point for each whole hundred that a customer paid, in minor units. HTTP in; the rest is next door.
"use strict";

const { createHash, timingSafeEqual } = require("node:crypto");
const { createServer } = require("node:http");
const { json, text } = require("node:stream/consumers");
const { credit, reader, statement } = require("./points.cjs");
const sidecar = require("./sidecar.cjs");

const trouble = reader(process.env.EVENT_SCHEMAS, "order-paid");

const ROUTES = {
  "GET /healthz": async () => [200, { status: "alive" }],
  "GET /readyz": async () => ((await sidecar.isUp()) ? [200, { status: "ready" }] : [503, problem("sidecar-away")]),
  "GET /points": showPoints,
  "POST /events/order-paid": orderPaid,
  "POST /events/dead-letters": deadLetter,
};
const OPEN = new Set(["GET /healthz", "GET /readyz"]);

async function showPoints(request) {
  const { authorization } = request.headers;
  const customer = authorization && (await sidecar.customerOf(authorization));
  if (!customer) return [401, problem("token-required")];
  const { value } = await sidecar.read(customer);
  return [200, statement(value)];
}

/** Count once what was paid; an answer other than 200 brings the event again. */
async function orderPaid(request) {
  const event = await json(request);
  const reason = trouble(event);
  if (reason) {
    log("event_refused", { id: event?.id, reason });
    return [200, { status: "DROP" }]; // the sidecar puts it among the dead letters
  }
  const customer = event.data.customer_id;
  const { value, etag } = await sidecar.read(customer);
  const credited = credit(value, event);
  if (credited !== value) await sidecar.write(customer, credited, etag);
  return [200, { status: "SUCCESS" }];
}

/** Keep what could not be read, under its own id. */
async function deadLetter(request) {
  const content = await text(request);
  const name = createHash("sha256").update(content).digest("hex");
  const { value, etag } = await sidecar.read(`dead-letter-${name}`);
  if (value === undefined) await sidecar.write(`dead-letter-${name}`, content, etag);
  log("dead_letter_kept", { name });
  return [200, { status: "SUCCESS" }];
}

/** Only the own sidecar may call, and events come from nobody behind it. */
function admits(route, { headers }) {
  if (OPEN.has(route)) return true;
  const digest = (value) => createHash("sha256").update(value ?? "").digest();
  const own = timingSafeEqual(digest(headers["dapr-api-token"]), digest(process.env.APP_API_TOKEN));
  return own && !(route.startsWith("POST /events/") && "dapr-caller-app-id" in headers);
}

async function answer(request) {
  const route = `${request.method} ${request.url.split("?")[0]}`;
  if (!admits(route, request)) return [401, problem("not-our-sidecar")];
  if (!Object.hasOwn(ROUTES, route)) return [404, problem("not-found")];
  try {
    return await ROUTES[route](request);
  } catch (error) {
    log("request_failed", { route, error: String(error) });
    return [503, problem("try-again")];
  }
}

function problem(slug) {
  return { type: `/problems/${slug}`, title: slug };
}

function log(event, fields) {
  console.log(JSON.stringify({ timestamp: new Date().toISOString(), service: "loyalty", event, ...fields }));
}

const server = createServer(async (request, response) => {
  const [status, body] = await answer(request);
  const type = body.type ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": type }).end(JSON.stringify(body));
});
server.listen(Number(process.env.APP_PORT), "127.0.0.1", () => log("service_started", {}));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
