// Anthropic's SDK for Node against the gateway: /v1/messages and the raw proxy.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import {
  ANTHROPIC_MODEL, CLAUDE, PNG_BASE64, Provider, WEATHER_SCHEMA,
  generation, say, start, test, wasCutOff,
} from "../stack.mjs";

const stack = await start();
const connect = ({ key = stack.keys.full, path = "", ...options } = {}) =>
  new Anthropic({ baseURL: stack.gateway + path, apiKey: key, maxRetries: 0, ...options });
const client = connect();
const user = (text, reply) => ({ role: "user", content: say(text, reply) });
const request = (text, reply, more) =>
  ({ model: CLAUDE, max_tokens: 100, messages: [user(text, reply)], ...more });
const tools = [{ name: "weather", input_schema: WEATHER_SCHEMA }];
const CALLS = [
  { name: "weather", arguments: { city: "Paris" } },
  { name: "weather", arguments: { city: "Rome" } },
];

for (const [path, model] of [["", CLAUDE], ["", ANTHROPIC_MODEL], ["/anthropic", CLAUDE]]) {
  const name = `${path || "/v1"} ${model}`;

  test(`${name}: plain`, async () => {
    const provider = await Provider.watch(stack);
    const tokens = { prompt: 120, completion: 45, cached: 20, cache_write_5m: 30 };
    const answer = await connect({ path }).messages.create(request("Hi.", { text: "Hello.", tokens }, { model }));
    assert.equal(answer.content[0].text, "Hello.");
    const entry = await provider.only();
    assert.deepEqual([answer.id, entry.key_suffix, entry.model], [entry.id, "0ant", CLAUDE]);
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [70, 45]);
  });

  test(`${name}: streamed`, async () => {
    const stream = connect({ path }).messages.stream(
      request("Hi.", { text: "a b c", reasoning: "Hm.", tools: CALLS }, { model, tools }));
    const texts = [];
    stream.on("text", (text) => texts.push(text));
    const final = await stream.finalMessage();
    assert.deepEqual(texts, ["a ", "b ", "c"]);
    assert.deepEqual(final.content.map((block) => block.type), ["thinking", "text", "tool_use", "tool_use"]);
    assert.deepEqual(final.content.slice(2).map((block) => block.input), CALLS.map((c) => c.arguments));
    assert.equal(final.stop_reason, "tool_use");
  });

  test(`${name}: a cancelled stream is cut off at the provider`, async () => {
    const provider = await Provider.watch(stack);
    const stream = await connect({ path }).messages.create(
      request("On.", { events: 200, event_delay_ms: 50 }, { model, stream: true }));
    let seen = 0;
    for await (const event of stream) {
      seen += event.type === "content_block_delta" ? 1 : 0;
      if (seen === 3) break;
    }
    assert.ok((await wasCutOff(provider)).events_sent < 40);
  });

  test(`${name}: count_tokens`, async () => {
    const counted = await connect({ path }).messages.countTokens(
      { model, messages: [{ role: "user", content: "x".repeat(400) }] });
    assert.equal(counted.input_tokens, 100);
  });
}

test("tool results, image, system message", async () => {
  const provider = await Provider.watch(stack);
  const first = await client.messages.create(request("Compare.", { tools: CALLS, text: "" }, { tools }));
  const results = first.content.map((block) =>
    ({ type: "tool_result", tool_use_id: block.id, content: "18 degrees" }));
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PNG_BASE64 } };
  const text = { type: "text", text: say("And this?", { text: "A dot." }) };
  const second = await client.messages.create({
    model: ANTHROPIC_MODEL, max_tokens: 100, tools, system: "Be brief.",
    messages: [
      user("Compare."), { role: "assistant", content: first.content },
      { role: "user", content: results }, { role: "user", content: [image, text] },
    ],
  });
  assert.equal(second.content[0].text, "A dot.");
  const body = await provider.lastBody();
  assert.equal(body.system, "Be brief.");
  assert.deepEqual(body.messages[3].content[0], image);
});

test("ids and exact cost", async () => {
  const tokens = { prompt: 120, completion: 45, cached: 20, cache_write_5m: 30 };
  const { response } = await client.messages.create(request("Bill.", { tokens })).withResponse();
  const record = await generation(stack, response.headers.get("x-generation-id"));
  const expected = Math.round(1000 * (70 * 3 + 20 * 0.3 + 30 * 3.75 + 45 * 15));
  assert.equal(Math.round(record.usage.cost * 1e9), expected);
});

test("models", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes(ANTHROPIC_MODEL));
  assert.equal((await client.models.retrieve(ANTHROPIC_MODEL)).id, ANTHROPIC_MODEL);
});

test("errors are the SDK's own", async () => {
  const provider = await Provider.watch(stack);
  const ask = (options, more) => connect(options).messages.create(request("Hi.", undefined, more));
  await assert.rejects(ask({ key: "lr_live_wrong" }), Anthropic.AuthenticationError);
  await assert.rejects(ask({}, { model: "nobody/nothing" }), Anthropic.NotFoundError);
  await assert.rejects(ask({}, { messages: "not a list" }), Anthropic.BadRequestError);
  await assert.rejects(ask({ key: stack.keys.openai_only }), Anthropic.PermissionDeniedError);
  await assert.rejects(ask({}, { messages: [user("x".repeat(3e6))] }), { status: 413 });
  assert.deepEqual(await provider.entries(), []);
  for (const [error, status, type] of [["server_error", 502, "api_error"], ["overloaded", 529, "overloaded_error"]]) {
    await assert.rejects(client.messages.create(request("Hi.", { error })), (raised) =>
      raised instanceof Anthropic.InternalServerError && raised.status === status && raised.error.error.type === type);
  }
  await assert.rejects(client.messages.create(request("Hi.", { error: "rate_limit", retry_after: 7 })), (raised) =>
    raised instanceof Anthropic.RateLimitError && raised.headers.get("retry-after") === "7");
});

test("time-outs of the client and of the gateway", async () => {
  const provider = await Provider.watch(stack);
  const call = connect({ timeout: 400 }).messages.create(request("Wait.", { delay_ms: 8000 }));
  await assert.rejects(call, Anthropic.APIConnectionTimeoutError);
  await wasCutOff(provider);
  const slow = client.messages.create(request("Wait.", { delay_ms: 8000 }, { model: "hasty-anthropic/m" }));
  await assert.rejects(slow, { status: 504 });
});

for (const fault of ["error_after", "reset_after", "close_after"]) {
  test(`a stream broken by ${fault} fails in-band`, async () => {
    const stream = await client.messages.create(request("Hi.", { events: 10, fault: { [fault]: 3 } }, { stream: true }));
    let text = "";
    const reading = (async () => {
      for await (const event of stream) text += event.delta?.text ?? "";
    })();
    await assert.rejects(reading, Anthropic.APIError);
    assert.equal(text, "one two three ");
  });
}
