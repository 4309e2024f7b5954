// OpenRouter's SDK for TypeScript against the gateway. Its schemas check every answer; a null where
// they know only absence is an exception.

import assert from "node:assert/strict";
import { OpenRouter } from "@openrouter/sdk";
import { tool } from "@openrouter/sdk/lib/tool.js";
import * as errors from "@openrouter/sdk/models/errors";
import { z } from "zod";
import {
  ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, Provider, WEATHER_SCHEMA, forgetTrouble, generation, say,
  start, test, wasCutOff,
} from "../stack.mjs";

const stack = await start();
const connect = (apiKey = stack.keys.full) =>
  new OpenRouter({
    apiKey, serverURL: `${stack.gateway}/api/v1`, retryConfig: { strategy: "none" }, timeoutMs: 20_000,
  });
const client = connect();
const manager = connect(stack.keys.manager);
const user = (text, reply) => ({ role: "user", content: say(text, reply) });
const chat = (chatRequest, options) => client.chat.send({ chatRequest }, options);
const respond = (responsesRequest) => client.beta.responses.send({ responsesRequest });
const MODELS = [OPENAI_MODEL, "responses/gpt-5.4", ANTHROPIC_MODEL, GOOGLE_MODEL];
const PRICES = {
  [OPENAI_MODEL]: [2.5, 0.25, 10], "responses/gpt-5.4": [2.5, 0.25, 10],
  [ANTHROPIC_MODEL]: [3, 0.3, 15], [GOOGLE_MODEL]: [0.3, 0.03, 2.5],
};
const TOKENS = { prompt: 120, completion: 45, cached: 20, reasoning: 10 };
const CALLS = [
  { name: "weather", arguments: { city: "Paris" } },
  { name: "weather", arguments: { city: "Rome" } },
];
const tools = [{ type: "function", function: { name: "weather", parameters: WEATHER_SCHEMA } }];

async function collect(events) {
  const all = [];
  for await (const event of await events) all.push(event);
  return all;
}

/** Asserts the cost in whole nano-dollars, which doubles hold exactly. */
function costs(model, usage) {
  const [prompt, cached, completion] = PRICES[model];
  const expected = Math.round(1000 * (100 * prompt + 20 * cached + 45 * completion));
  assert.equal(Math.round(usage.cost * 1e9), expected);
}

/** Asserts that nothing in an answer was kept raw because the SDK did not understand it. */
function known(value) {
  assert.ok(!JSON.stringify(value).includes('"isUnknown":true'), JSON.stringify(value));
}

for (const model of MODELS) {
  test(`${model}: chat`, async () => {
    const messages = [user("Hi.", { text: "Hello.", reasoning: "hm", tokens: TOKENS })];
    const answer = await chat({
      model, messages, reasoning: { effort: "low" },
      provider: { order: ["openai", "anthropic"], allowFallbacks: true, sort: "price" },
    });
    known(answer);
    const [choice] = answer.choices;
    assert.deepEqual([choice.message.content, choice.message.reasoning], ["Hello.", "hm"]);
    assert.deepEqual([choice.finishReason, answer.model], ["stop", model]);
    assert.equal(answer.usage.promptTokensDetails.cachedTokens, 20);
    costs(model, answer.usage);
  });

  test(`${model}: chat streamed`, async () => {
    const messages = [user("Count.", { text: "one two three", reasoning: "hm", tokens: TOKENS })];
    const chunks = await collect(chat({ model, messages, stream: true, reasoning: { effort: "low" } }));
    known(chunks);
    const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));
    assert.equal(deltas.map((delta) => delta.content ?? "").join(""), "one two three");
    assert.equal(deltas.map((delta) => delta.reasoning ?? "").join(""), "hm");
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    costs(model, chunks.at(-1).usage);
  });

  test(`${model}: tools streamed, and their results`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Compare.", { text: "The same.", tools: CALLS, argument_pieces: 3 })];
    const chunks = await collect(chat({ model, messages, tools, stream: true }));
    const calls = [];
    for (const piece of chunks.flatMap((c) => c.choices.flatMap((o) => o.delta.toolCalls ?? []))) {
      const call = (calls[piece.index] ??= { type: "function", function: { name: "", arguments: "" } });
      call.id ??= piece.id;
      call.function.name += piece.function?.name ?? "";
      call.function.arguments += piece.function?.arguments ?? "";
    }
    assert.deepEqual(calls.map((call) => JSON.parse(call.function.arguments)), CALLS.map((c) => c.arguments));
    const results = calls.map((call) => ({ role: "tool", toolCallId: call.id, content: "18 degrees" }));
    messages.push({ role: "assistant", content: null, toolCalls: calls }, ...results);
    const final = await chat({ model, messages, tools });
    assert.equal(final.choices[0].message.content, "The same.");
    assert.match(JSON.stringify(await provider.lastBody()), /18 degrees/);
  });

  test(`${model}: Responses`, async () => {
    const input = say("Hi.", { text: "Hello.", reasoning: "hm", tokens: TOKENS });
    const answer = await respond({ model, input });
    known(answer);
    assert.deepEqual([answer.status, answer.output.at(-1).content[0].text], ["completed", "Hello."]);
    costs(model, answer.usage);
    const events = await collect(respond({ model, input, stream: true }));
    known(events);
    assert.equal(events.at(-1).type, "response.completed");
    costs(model, events.at(-1).response.usage);
  });

  test(`${model}: callModel runs tools to the end`, async () => {
    const asked = [];
    const weather = tool({
      name: "weather", inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => { asked.push(city); return { city, degrees: 18 }; },
    });
    const input = say("Compare.", { text: "The same.", tools: CALLS });
    const result = client.callModel({ model, input, tools: [weather] });
    assert.equal(await result.getText(), "The same.");
    assert.deepEqual(asked.sort(), ["Paris", "Rome"]);
  });

  for (const [failure, kind, type] of [
    ["invalid_request", errors.BadRequestResponseError, "invalid_request"],
    ["rate_limit", errors.TooManyRequestsResponseError, "rate_limit_exceeded"],
    ["server_error", errors.BadGatewayResponseError, "provider_unavailable"],
    ["overloaded", errors.ServiceUnavailableResponseError, "provider_overloaded"],
  ]) {
    test(`${model}: ${failure}`, async () => {
      const messages = [user("Fail.", { error: failure })];
      for (const ask of [
        () => chat({ model, messages }),
        () => chat({ model, messages, stream: true }),
        () => respond({ model, input: messages[0].content }),
      ]) {
        const error = await ask().then(assert.fail, (thrown) => thrown);
        assert.ok(error instanceof kind, `${error}`);
        assert.equal(error.error.code, error.statusCode);
        assert.equal(error.error.metadata.error_type, type);
        await forgetTrouble();
      }
    });
  }

  test(`${model}: a stream that breaks tells it in a chunk`, async () => {
    const reply = { text: "one two three", error: "server_error", fault: { error_after: 2 } };
    const chunks = await collect(chat({ model, messages: [user("Fail.", reply)], stream: true }));
    assert.equal(chunks.at(-1).error.code, 502);
    assert.equal(chunks.at(-1).choices[0].finishReason, "error");
  });

  test(`${model}: a stream that is left is cut off at the provider`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Long.", { events: 200, event_delay_ms: 50 })];
    for await (const chunk of await chat({ model, messages, stream: true }))
      if (chunk.choices[0]?.delta.content) break;
    await wasCutOff(provider);
  });
}

test("metadata tell the way of a request", async () => {
  const chatRequest = { model: ANTHROPIC_MODEL, messages: [user("Hi.")] };
  const ask = (options) =>
    client.chat.send({ xOpenRouterMetadata: "enabled", chatRequest: { ...chatRequest, ...options } });
  const whole = await ask({});
  const [last] = (await collect(ask({ stream: true }))).filter((chunk) => chunk.openrouterMetadata);
  for (const { openrouterMetadata: metadata } of [whole, last]) {
    assert.deepEqual([metadata.requested, metadata.attempt], [ANTHROPIC_MODEL, 1]);
    assert.deepEqual(metadata.endpoints.available.map((endpoint) => endpoint.selected), [true]);
  }
});

test("embeddings", async () => {
  const model = "openai/text-embedding-3-small";
  const answer = await client.embeddings.generate({ requestBody: { model, input: ["a", "b"] } });
  assert.deepEqual([answer.data.length, answer.data[0].embedding.length], [2, 16]);
  assert.ok(answer.usage.cost > 0);
});

test("the key that asks, credits, records and activity", async () => {
  const { data: key } = await client.apiKeys.getCurrentKeyMetadata();
  assert.deepEqual([key.isManagementKey, key.limit, key.limitReset], [false, null, null]);
  assert.ok((await manager.credits.getCredits()).data.totalUsage >= 0);
  const answer = await chat({ model: OPENAI_MODEL, messages: [user("Hi.")] });
  await generation(stack, answer.id);
  const { data: record } = await client.generations.getGeneration({ id: answer.id });
  assert.deepEqual([record.id, record.totalCost], [answer.id, answer.usage.cost]);
  assert.deepEqual((await manager.analytics.getUserActivity()).data, []);
});

test("a key from its making to its end", async () => {
  const keys = manager.apiKeys;
  const made = await keys.create({ requestBody: { name: "node", limit: 0.5, limitReset: "weekly" } });
  const { hash } = made.data;
  const { data: own } = await connect(made.key).apiKeys.getCurrentKeyMetadata();
  assert.deepEqual([own.limit, own.limitRemaining, own.limitReset], [0.5, 0.5, "weekly"]);
  assert.equal((await keys.get({ hash })).data.name, "node");
  assert.ok((await keys.list()).data.some((key) => key.hash === hash));
  const changed = await keys.update({ hash, requestBody: { name: "other", disabled: true } });
  assert.deepEqual([changed.data.name, changed.data.disabled], ["other", true]);
  await assert.rejects(connect(made.key).credits.getCredits(), errors.UnauthorizedResponseError);
  assert.equal((await keys.delete({ hash })).deleted, true);
  await assert.rejects(keys.get({ hash }), errors.NotFoundResponseError);
});

test("what the gateway itself refuses", async () => {
  const messages = [user("Hi.")];
  const ask = (key, model = OPENAI_MODEL) => connect(key).chat.send({ chatRequest: { model, messages } });
  await assert.rejects(ask("lr_live_unknown"), errors.UnauthorizedResponseError);
  await assert.rejects(ask(stack.keys.openai_only, GOOGLE_MODEL), errors.ForbiddenResponseError);
  await assert.rejects(ask(stack.keys.full, "nowhere/nothing"), errors.BadRequestResponseError);
  const { key } = await manager.apiKeys.create({ requestBody: { name: "poor", limit: 0.000001 } });
  await assert.rejects(ask(key), errors.PaymentRequiredResponseError);
  const missing = client.generations.getGeneration({ id: `gen-1790000000-${"0".repeat(24)}` });
  await assert.rejects(missing, errors.NotFoundResponseError);
});
