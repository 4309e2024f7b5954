// OpenAI's SDK for Node against the gateway: one program, providers of all three formats.

import assert from "node:assert/strict";
import OpenAI from "openai";
import {
  ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, PNG_BASE64, Provider, WEATHER_SCHEMA,
  generation, say, start, test, wasCutOff,
} from "../stack.mjs";

const stack = await start();
const connect = ({ key = stack.keys.full, path = "/v1", ...options } = {}) =>
  new OpenAI({ baseURL: stack.gateway + path, apiKey: key, maxRetries: 0, ...options });
const client = connect();
const user = (text, reply) => ({ role: "user", content: say(text, reply) });
const FORMATS = { [OPENAI_MODEL]: "openai", [ANTHROPIC_MODEL]: "anthropic", [GOOGLE_MODEL]: "google" };
const PRICES = {
  [OPENAI_MODEL]: [2.5, 0.25, 10], [ANTHROPIC_MODEL]: [3, 0.3, 15], [GOOGLE_MODEL]: [0.3, 0.03, 2.5],
};
const TOKENS = { prompt: 120, completion: 45, cached: 20, reasoning: 10 };
const tools = [{ type: "function", function: { name: "weather", parameters: WEATHER_SCHEMA } }];
const CALLS = [
  { name: "weather", arguments: { city: "Paris" } },
  { name: "weather", arguments: { city: "Rome" } },
];

function sameUsage(usage, entry) {
  assert.deepEqual(
    [usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens,
      usage.completion_tokens_details.reasoning_tokens],
    [entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens, entry.reasoning_tokens],
  );
}

for (const [model, format] of Object.entries(FORMATS)) {
  test(`${format}: plain`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Hi.", { text: "Hello.", tokens: TOKENS })];
    const answer = await client.chat.completions.create({ model, messages });
    assert.equal(answer.choices[0].message.content, "Hello.");
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.model, model);
    const entry = await provider.only();
    assert.equal(entry.format, format);
    sameUsage(answer.usage, entry);
  });

  test(`${format}: streamed`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Count.", { text: "one two three", tokens: TOKENS })];
    const chunks = [];
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true }))
      chunks.push(chunk);
    const texts = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean);
    assert.deepEqual(texts, ["one ", "two ", "three"]);
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    sameUsage(chunks.at(-1).usage, await provider.only());
  });

  test(`${format}: the stream helper accumulates text and tool calls`, async () => {
    const messages = [user("Compare.", { text: "Well.", tools: CALLS, argument_pieces: 3 })];
    const final = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    assert.equal(final.choices[0].message.content, "Well.");
    assert.equal(final.choices[0].finish_reason, "tool_calls");
    const made = final.choices[0].message.tool_calls;
    assert.deepEqual(made.map((call) => JSON.parse(call.function.arguments)), CALLS.map((c) => c.arguments));
  });

  test(`${format}: tools run to the end`, async () => {
    const provider = await Provider.watch(stack);
    const asked = [];
    const runner = client.chat.completions.runTools({
      model,
      messages: [user("Compare.", { text: "The same.", tools: CALLS })],
      tools: [{
        type: "function",
        function: {
          name: "weather", parameters: WEATHER_SCHEMA, parse: JSON.parse,
          function: ({ city }) => { asked.push(city); return `${city}: 18 degrees`; },
        },
      }],
    });
    assert.equal(await runner.finalContent(), "The same.");
    assert.deepEqual(asked, ["Paris", "Rome"]);
    assert.match(JSON.stringify(await provider.lastBody()), /Rome: 18 degrees/);
  });

  test(`${format}: image, system message and reasoning`, async () => {
    const provider = await Provider.watch(stack);
    const text = say("What?", { text: "A dot.", reasoning: "It is red." });
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PNG_BASE64}` } };
    const answer = await client.chat.completions.create({
      model, reasoning_effort: "low", max_completion_tokens: 4000,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text }, image] },
      ],
    });
    const { message } = answer.choices[0];
    assert.equal(message.content, "A dot.");
    assert.equal(message.reasoning ?? message.reasoning_content, "It is red.");
    const sent = JSON.stringify(await provider.lastBody());
    assert.ok(sent.includes(PNG_BASE64) && sent.includes("Be brief."));
  });

  test(`${format}: ids and exact cost`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Bill.", { tokens: TOKENS })];
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    assert.equal(data.id, response.headers.get("x-generation-id"));
    assert.ok(response.headers.get("x-request-id"));
    const record = await generation(stack, data.id);
    sameUsage(record.usage, await provider.only());
    const [prompt, cached, completion] = PRICES[model];
    // Compared in whole nano-dollars, which doubles hold exactly.
    const expected = Math.round(1000 * (100 * prompt + 20 * cached + 45 * completion));
    assert.equal(Math.round(record.usage.cost * 1e9), expected);
  });

  test(`${format}: a cancelled stream is cut off at the provider`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("On.", { events: 200, event_delay_ms: 50 })];
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    let seen = 0;
    for await (const chunk of stream) {
      seen += chunk.choices[0]?.delta.content ? 1 : 0;
      if (seen === 3) break;
    }
    assert.ok((await wasCutOff(provider)).events_sent < 40);
  });

  test(`${format}: an aborted call is cut off at the provider`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Wait.", { delay_ms: 8000 })];
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const call = client.chat.completions.create({ model, messages }, { signal: stop.signal });
    await assert.rejects(call, OpenAI.APIUserAbortError);
    await wasCutOff(provider);
  });

  test(`${format}: a client's time-out`, async () => {
    const provider = await Provider.watch(stack);
    const messages = [user("Wait.", { delay_ms: 8000 })];
    const call = connect({ timeout: 400 }).chat.completions.create({ model, messages });
    await assert.rejects(call, OpenAI.APIConnectionTimeoutError);
    await wasCutOff(provider);
  });

  test(`${format}: the provider's rate limit`, async () => {
    const messages = [user("Hi.", { error: "rate_limit", retry_after: 7 })];
    await assert.rejects(client.chat.completions.create({ model, messages }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get("retry-after"), "7");
      assert.equal(error.code, "rate_limit_exceeded");
      return true;
    });
  });

  for (const fault of ["error_after", "reset_after", "close_after"]) {
    test(`${format}: a stream broken by ${fault} fails in-band`, async () => {
      const messages = [user("Hi.", { events: 10, fault: { [fault]: 3 } })];
      const stream = await client.chat.completions.create({ model, messages, stream: true });
      let text = "";
      const reading = (async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      })();
      await assert.rejects(reading, OpenAI.APIError);
      assert.equal(text, "one two three ");
    });
  }
}

test("errors are the SDK's own", async () => {
  const provider = await Provider.watch(stack);
  const ask = (options, model = OPENAI_MODEL, messages = [user("Hi.")]) =>
    connect(options).chat.completions.create({ model, messages });
  await assert.rejects(ask({ key: "lr_live_wrong" }), OpenAI.AuthenticationError);
  await assert.rejects(ask({}, "nobody/nothing"), OpenAI.BadRequestError);
  await assert.rejects(ask({}, OPENAI_MODEL, "not a list"), OpenAI.BadRequestError);
  await assert.rejects(ask({ key: stack.keys.openai_only }, ANTHROPIC_MODEL), OpenAI.PermissionDeniedError);
  await assert.rejects(ask({}, OPENAI_MODEL, [user("x".repeat(3e6))]), { status: 413 });
  assert.deepEqual(await provider.entries(), []);
  for (const [error, status] of [["server_error", 502], ["overloaded", 503]]) {
    const failing = ask({}, OPENAI_MODEL, [user("Hi.", { error })]);
    await assert.rejects(failing, (raised) => raised instanceof OpenAI.InternalServerError && raised.status === status);
  }
});

test("the gateway's time-out", async () => {
  for (const name of ["hasty-openai", "hasty-anthropic", "hasty-google"]) {
    const messages = [user("Wait.", { delay_ms: 8000 })];
    const call = client.chat.completions.create({ model: `${name}/m`, messages });
    await assert.rejects(call, (raised) => raised instanceof OpenAI.InternalServerError && raised.status === 504);
  }
});

test("embeddings", async () => {
  const provider = await Provider.watch(stack);
  const answer = await client.embeddings.create({ model: "openai/text-embedding-3-small", input: ["one", "two"] });
  assert.deepEqual(answer.data.map((item) => [item.index, item.embedding.length]), [[0, 16], [1, 16]]);
  assert.equal(answer.usage.prompt_tokens, (await provider.only()).prompt_tokens);
});

test("models", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok([OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL, "fast"].every((id) => listed.includes(id)));
  assert.equal((await client.models.retrieve(OPENAI_MODEL)).id, OPENAI_MODEL);
  await assert.rejects(client.models.retrieve("openai/none"), OpenAI.NotFoundError);
});

test("the raw proxy", async () => {
  const provider = await Provider.watch(stack);
  const raw = connect({ path: "/openai/v1" });
  const messages = [user("Hi.", { text: "Raw." })];
  const answer = await raw.chat.completions.create({ model: "gpt-5.4", messages });
  assert.equal(answer.choices[0].message.content, "Raw.");
  const entry = await provider.only();
  assert.deepEqual([answer.id, entry.key_suffix], [entry.id, "0oai"]);
  const chunks = [];
  for await (const chunk of await raw.chat.completions.create({ model: "gpt-5.4", messages, stream: true }))
    chunks.push(chunk.choices[0]?.delta.content ?? "");
  assert.equal(chunks.join(""), "Raw.");
});
