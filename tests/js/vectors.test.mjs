import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { core, feedId } from "../../node/js/stork.mjs";

const { abortEnding, closeEnding, goodbyeEnding, isTopic, parsePosition, retryDelay, subscriptionEnding, Stream } = core;

/** Test each case of a group in tests/vectors, which the tests of Python and PHP read as well. */
function vectors(file, group, run) {
  const { [group]: cases } = JSON.parse(readFileSync(new URL(`../vectors/${file}.json`, import.meta.url), "utf8"));
  assert.ok(cases.length);
  for (const one of cases) test(`${file}, ${group}: ${one.name}`, () => run(one));
}

vectors("topics", "accepted", ({ uri, match }) => assert.equal(isTopic(uri, match), true));
vectors("topics", "refused", ({ uri, match }) => assert.equal(isTopic(uri, match), false));
vectors("topics", "reserved", ({ uri, match }) => assert.equal(isTopic(uri, match), true)); // the node says no

vectors("feed_ids", "ids", ({ text, id }) => assert.equal(feedId(text), id));

vectors("positions", "read", ({ text, epoch, sequence }) => {
  assert.deepEqual(parsePosition(text), epoch === null ? null : { epoch, sequence, text });
});

vectors("positions", "compared", ({ first, second, order }) => {
  const later = new Stream(first).take({ event: 1, position: second });
  assert.equal(later.length, order === "<" || order === null ? 1 : 0); // another epoch is no repetition
});

vectors("endings", "aborts", ({ uri, reason, again }) => assert.deepEqual(abortEnding(uri), { reason, again }));
vectors("endings", "goodbyes", ({ uri, reason, again }) => assert.deepEqual(goodbyeEnding(uri), { reason, again }));
vectors("endings", "subscriptions", ({ uri, reason, again }) => {
  assert.deepEqual(subscriptionEnding(uri), { reason, again });
});

for (const group of ["node", "others"]) {
  vectors("close_codes", group, ({ code, reason, again }) => assert.deepEqual(closeEnding(code), { reason, again }));
}

vectors("retry_delays", "delays", ({ attempt, chance, seconds }) => {
  assert.equal(retryDelay(attempt, chance), seconds * 1000);
});

/** An event of an answer, which the vectors write by its position. */
function ofAnswer(item) {
  return typeof item === "string" ? { position: item, type: "t", data: item, timestamp: "now" } : item;
}

vectors("recover_answers", "streams", ({ since, steps }) => {
  const stream = new Stream(since);
  const positions = (items) => items.map(({ position }) => position);
  for (const step of steps) {
    if ("hold" in step) {
      assert.equal(stream.hold(), step.asks);
    } else if ("event" in step) {
      assert.deepEqual(positions(stream.take({ event: 1, position: step.event })), step.hands);
    } else if ("beat" in step) {
      stream.beat(step.beat);
      assert.equal(stream.position, step.position);
    } else {
      const { answer } = step;
      const events = Array.isArray(answer?.events) ? answer.events.map(ofAnswer) : answer?.events;
      const { items, recovered, position, more } = stream.answer(answer && { ...answer, events });
      assert.deepEqual(positions(items), step.hands);
      assert.deepEqual([recovered, position, more], [step.recovered, step.position, step.more]);
    }
  }
});
