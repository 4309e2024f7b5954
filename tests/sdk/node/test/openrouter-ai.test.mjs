// The AI SDK with OpenRouter's provider against the gateway: text, objects, tools, streams, cost.

import assert from "node:assert/strict";
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import {
  APICallError, Output, embedMany, generateText, isStepCount, streamText, tool,
} from "ai";
import { z } from "zod";
import {
  ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, PNG_BASE64, Provider, forgetTrouble, say, start, test,
  wasCutOff,
} from "../stack.mjs";

const stack = await start();
const connect = (apiKey = stack.keys.full, options = {}) =>
  createOpenRouter({ apiKey, baseURL: `${stack.gateway}/api/v1`, ...options });
const openrouter = connect();
const PROVIDERS = {
  [OPENAI_MODEL]: ["openai", [2.5, 0.25, 10]],
  "responses/gpt-5.4": ["responses", [2.5, 0.25, 10]],
  [ANTHROPIC_MODEL]: ["anthropic", [3, 0.3, 15]],
  [GOOGLE_MODEL]: ["google", [0.3, 0.03, 2.5]],
};
/** Models whose reasoning is signed. */
const SIGNERS = [ANTHROPIC_MODEL, GOOGLE_MODEL];
const TOKENS = { prompt: 120, completion: 45, cached: 20, reasoning: 10 };
const CALLS = [
  { name: "weather", arguments: { city: "Paris" } },
  { name: "weather", arguments: { city: "Rome" } },
];
const quiet = { maxRetries: 0 };

/** Asserts usage and cost as the provider of the SDK tells them. */
function accounted(model, { usage, providerMetadata }) {
  assert.deepEqual(
    [usage.inputTokens, usage.outputTokens, usage.totalTokens,
      usage.inputTokenDetails.cacheReadTokens, usage.outputTokenDetails.reasoningTokens],
    [120, 45, 165, 20, 10],
  );
  const { provider, usage: told } = providerMetadata.openrouter;
  assert.ok(provider, "the provider that answered has a name");
  const [prompt, cached, completion] = PROVIDERS[model][1];
  const expected = Math.round(1000 * (100 * prompt + 20 * cached + 45 * completion));
  assert.equal(Math.round(told.cost * 1e9), expected);
}

function weather(asked) {
  return tool({
    description: "The weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => { asked.push(city); return `${city}: 18 degrees`; },
  });
}

for (const model of Object.keys(PROVIDERS)) {
  test(`${model}: generateText`, async () => {
    const provider = await Provider.watch(stack);
    const result = await generateText({
      ...quiet,
      model: openrouter(model, { reasoning: { effort: "low" }, usage: { include: true } }),
      instructions: "Be brief.",
      prompt: say("Hi.", { text: "Hello.", reasoning: "hm", tokens: TOKENS }),
      providerOptions: { openrouter: { provider: { order: ["openai", "google"] } } },
    });
    assert.deepEqual([result.text, result.reasoningText, result.finishReason], ["Hello.", "hm", "stop"]);
    accounted(model, { usage: result.usage, providerMetadata: result.providerMetadata });
    assert.equal(result.response.modelId, model);
    assert.match(result.response.id, /^gen-/);
    assert.match(JSON.stringify(await provider.lastBody()), /Be brief\./);
  });

  test(`${model}: streamText`, async () => {
    const result = streamText({
      ...quiet, model: openrouter(model), onError: ({ error }) => assert.fail(error),
      prompt: say("Count.", { text: "one two three", reasoning: "hm", tokens: TOKENS }),
    });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    assert.equal(pieces.join(""), "one two three");
    assert.ok(pieces.length > 1, "came in pieces");
    assert.equal(await result.reasoningText, "hm");
    assert.equal(await result.finishReason, "stop");
    accounted(model, { usage: await result.usage, providerMetadata: await result.providerMetadata });
  });

  test(`${model}: tools run to the end, whole and streamed`, async () => {
    const reply = { text: "The same.", reasoning: "hm", tools: CALLS, argument_pieces: 3 };
    const options = (asked) => ({
      ...quiet, model: openrouter(model), tools: { weather: weather(asked) }, stopWhen: isStepCount(3),
      prompt: say("Compare.", { ...reply, ...(SIGNERS.includes(model) && { signature: "c2ln" }) }),
    });
    const signed = async () => {
      if (!SIGNERS.includes(model)) return;
      // What the provider signed comes back to it in the next turn.
      const [, assistant] = Object.values(await provider.lastBody()).find(Array.isArray);
      assert.match(JSON.stringify(assistant), /"(signature|thoughtSignature)":"c2ln"/);
    };
    const provider = await Provider.watch(stack);
    const asked = [];
    const whole = await generateText(options(asked));
    assert.deepEqual([whole.text, whole.steps.length], ["The same.", 2]);
    assert.deepEqual(asked.sort(), ["Paris", "Rome"]);
    await signed();
    const streamed = streamText(options(asked));
    assert.equal((await streamed.steps).at(-1).text, "The same.");
    assert.equal(asked.length, 4);
    await signed();
    assert.match(JSON.stringify(await provider.lastBody()), /Rome: 18 degrees/);
  });

  test(`${model}: an object of a schema, and a picture`, async () => {
    const provider = await Provider.watch(stack);
    const text = say("Which?", { text: '{"city":"Paris","degrees":18}' });
    const result = await generateText({
      ...quiet, model: openrouter(model),
      output: Output.object({ schema: z.object({ city: z.string(), degrees: z.number() }) }),
      messages: [{
        role: "user",
        content: [{ type: "text", text }, { type: "file", mediaType: "image/png", data: PNG_BASE64 }],
      }],
    });
    assert.deepEqual(result.output, { city: "Paris", degrees: 18 });
    const sent = JSON.stringify(await provider.lastBody());
    assert.ok(sent.includes(PNG_BASE64) && sent.includes("degrees"));
  });

  test(`${model}: failures`, async () => {
    for (const [failure, status, isRetryable] of [
      ["invalid_request", 400, false], ["rate_limit", 429, true], ["server_error", 502, true],
    ]) {
      const prompt = say("Fail.", { error: failure });
      const error = await generateText({ ...quiet, model: openrouter(model), prompt })
        .then(assert.fail, (thrown) => thrown);
      assert.ok(APICallError.isInstance(error), `${error}`);
      assert.deepEqual([error.statusCode, error.isRetryable], [status, isRetryable]);
      assert.equal(error.data.error.code, status);
      assert.ok(error.message.includes(error.data.error.message));
      await forgetTrouble();
    }
  });

  test(`${model}: a stream that breaks is an error`, async () => {
    const seen = [];
    const result = streamText({
      ...quiet, model: openrouter(model), onError: ({ error }) => { seen.push(error); },
      prompt: say("Fail.", { text: "one two three", error: "server_error", fault: { error_after: 2 } }),
    });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    assert.equal(text, "one two ");
    assert.equal(seen.length, 1);
    assert.equal(seen[0].message ?? seen[0], "upstream request failed");
  });

  test(`${model}: a stream that is aborted is cut off at the provider`, async () => {
    const provider = await Provider.watch(stack);
    const abort = new AbortController();
    const result = streamText({
      ...quiet, model: openrouter(model), abortSignal: abort.signal, onError: () => {},
      prompt: say("Long.", { events: 200, event_delay_ms: 50 }),
    });
    for await (const piece of result.textStream) if (piece) abort.abort();
    await wasCutOff(provider);
  });
}

test("strict compatibility makes no difference", async () => {
  const strict = connect(stack.keys.full, { compatibility: "strict" });
  const prompt = say("Hi.", { text: "Hello.", tokens: TOKENS });
  const result = streamText({ ...quiet, model: strict(OPENAI_MODEL), prompt });
  assert.equal(await result.text, "Hello.");
  accounted(OPENAI_MODEL, { usage: await result.usage, providerMetadata: await result.providerMetadata });
});

test("embeddings", async () => {
  const model = openrouter.textEmbeddingModel("openai/text-embedding-3-small");
  const { embeddings, usage } = await embedMany({ ...quiet, model, values: ["a", "b", "c"] });
  assert.deepEqual(embeddings.map((embedding) => embedding.length), [16, 16, 16]);
  assert.ok(usage.tokens > 0);
});

test("a key that is unknown", async () => {
  const model = connect("lr_live_unknown")(OPENAI_MODEL);
  const error = await generateText({ ...quiet, model, prompt: "Hi." }).then(assert.fail, (e) => e);
  assert.deepEqual([error.statusCode, error.isRetryable], [401, false]);
});
