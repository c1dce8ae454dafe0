// What is counted, and what counts as an event: nothing here knows Dapr or HTTP.
"use strict";

const { readFileSync } = require("node:fs");
const path = require("node:path");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");

const NOBODY = { points: 0, credits: {} };

/** Return a check of events on *topic* against the schema that their publisher promises. */
function reader(folder, topic) {
  // Not strict: the schema says what the publisher writes, which may be more than this version of it knows.
  const ajv = addFormats(new Ajv({ strict: false }));
  const valid = ajv.compile(JSON.parse(readFileSync(path.join(folder, `${topic}.json`), "utf8")));
  return (event) => {
    if (!event?.id) return "no event: it has no id";
    return valid(event.data) ? null : ajv.errorsText(valid.errors);
  };
}

/** Return *account* with a point for each whole hundred paid; an event that came before changes nothing. */
function credit(account, { id, data }) {
  const { points, credits } = account ?? NOBODY;
  if (Object.hasOwn(credits, id)) return account;
  const earned = Math.floor(data.total.amount / 100);
  return { points: points + earned, credits: { ...credits, [id]: { order: data.number, points: earned } } };
}

/** Return what a customer is shown. */
function statement(account) {
  const { points, credits } = account ?? NOBODY;
  return { points, credits: Object.values(credits) };
}

module.exports = { credit, reader, statement };
