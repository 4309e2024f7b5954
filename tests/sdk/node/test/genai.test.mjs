// Google's SDK for Node against the gateway: /v1beta/models and the raw proxy.

import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";
import {
  GEMINI, GOOGLE_MODEL, PNG_BASE64, Provider, forgetTrouble, generation, say, start, test,
  wasCutOff,
} from "../stack.mjs";

const stack = await start();
const connect = ({ key = stack.keys.full, path = "", timeout } = {}) =>
  new GoogleGenAI({
    apiKey: key,
    httpOptions: { baseUrl: stack.gateway + path, timeout, retryOptions: { attempts: 1 } },
  });
const { models } = connect();

/** The text of a streamed answer, and the error that ended it. */
async function read(stream) {
  let text = "";
  try {
    for await (const chunk of stream) text += chunk.text ?? "";
  } catch (error) {
    return { text, error };
  }
  return { text };
}

for (const [path, model] of [["", GEMINI], ["", GOOGLE_MODEL], ["/google", GEMINI]]) {
  const name = `${path || "/v1beta"} ${model}`;

  test(`${name}: plain`, async () => {
    const provider = await Provider.watch(stack);
    const tokens = { prompt: 120, completion: 45, cached: 20, reasoning: 10 };
    const contents = say("Hi.", { text: "Hello.", tokens });
    const answer = await connect({ path }).models.generateContent({ model, contents });
    assert.equal(answer.text, "Hello.");
    const entry = await provider.only();
    assert.deepEqual([answer.responseId, entry.key_suffix, entry.model], [entry.id, "0gem", GEMINI]);
    const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount } = answer.usageMetadata;
    assert.deepEqual([promptTokenCount, candidatesTokenCount, thoughtsTokenCount], [120, 35, 10]);
  });

  test(`${name}: streamed`, async () => {
    const contents = say("Count.", { text: "one two three" });
    const chunks = [];
    for await (const chunk of await connect({ path }).models.generateContentStream({ model, contents }))
      chunks.push(chunk);
    assert.deepEqual(chunks.map((chunk) => chunk.text).filter(Boolean), ["one ", "two ", "three"]);
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
  });

  test(`${name}: a cancelled stream is cut off at the provider`, async () => {
    const provider = await Provider.watch(stack);
    const stop = new AbortController();
    const stream = await connect({ path }).models.generateContentStream({
      model, contents: say("On.", { events: 200, event_delay_ms: 50 }),
      config: { abortSignal: stop.signal },
    });
    let seen = 0;
    for await (const _ of stream) {
      seen += 1;
      if (seen === 3) break;
    }
    stop.abort();
    assert.ok((await wasCutOff(provider)).events_sent < 40);
  });

  test(`${name}: countTokens`, async () => {
    const counted = await connect({ path }).models.countTokens({ model, contents: "x".repeat(400) });
    assert.equal(counted.totalTokens, 100);
  });
}

test("tools, image, system instruction, thoughts", async () => {
  const provider = await Provider.watch(stack);
  const reply = {
    text: "A dot.", reasoning: "It is red.",
    tools: [
      { name: "weather", arguments: { city: "Paris" } },
      { name: "weather", arguments: { city: "Rome" } },
    ],
  };
  const parameters = { type: "OBJECT", properties: { city: { type: "STRING" } } };
  const config = {
    systemInstruction: "Be brief.",
    thinkingConfig: { includeThoughts: true, thinkingBudget: 512 },
    tools: [{ functionDeclarations: [{ name: "weather", parameters }] }],
  };
  const question = {
    role: "user",
    parts: [{ inlineData: { mimeType: "image/png", data: PNG_BASE64 } }, { text: say("What?", reply) }],
  };
  const first = await models.generateContent({ model: GEMINI, contents: [question], config });
  assert.deepEqual(first.functionCalls.map((call) => call.args), reply.tools.map((tool) => tool.arguments));
  assert.ok(first.candidates[0].content.parts.some((part) => part.thought && part.text === "It is red."));
  const results = first.functionCalls.map(({ id, name, args }) =>
    ({ functionResponse: { id, name, response: { output: `${args.city}: 18 degrees` } } }));
  const contents = [question, first.candidates[0].content, { role: "user", parts: results }];
  const second = await models.generateContent({ model: GEMINI, contents, config });
  assert.equal(second.text, "A dot.");
  const sent = JSON.stringify(await provider.lastBody());
  for (const part of ["Rome: 18 degrees", PNG_BASE64, "Be brief."]) assert.ok(sent.includes(part), part);
});

test("models", async () => {
  const listed = [];
  for await (const model of await models.list()) listed.push(model.name);
  assert.ok(listed.includes(`models/${GEMINI}`));
  assert.equal((await models.get({ model: GEMINI })).outputTokenLimit, 65_536);
});

test("embeddings through the raw proxy", async () => {
  const answer = await connect({ path: "/google" }).models.embedContent(
    { model: "gemini-embedding-001", contents: ["one", "two"] });
  assert.deepEqual(answer.embeddings.map((embedding) => embedding.values.length), [16, 16]);
});

test("ids and exact cost", async () => {
  const contents = say("Bill.", { tokens: { prompt: 120, completion: 45, cached: 20 } });
  const answer = await models.generateContent({ model: GEMINI, contents });
  const record = await generation(stack, answer.sdkHttpResponse.headers["x-generation-id"]);
  const expected = Math.round(1000 * (100 * 0.3 + 20 * 0.03 + 45 * 2.5));
  assert.equal(Math.round(record.usage.cost * 1e9), expected);
});

test("errors are the SDK's own", async () => {
  const provider = await Provider.watch(stack);
  const ask = (options, { model = GEMINI, contents = "Hi." } = {}) =>
    connect(options).models.generateContent({ model, contents });
  const failsWith = (call, status) =>
    assert.rejects(call, (error) => error instanceof ApiError && error.status === status);
  await failsWith(ask({ key: "lr_live_wrong" }), 401);
  await failsWith(ask({}, { model: "nobody/nothing" }), 404);
  await failsWith(ask({ key: stack.keys.openai_only }), 403);
  await failsWith(ask({}, { contents: "x".repeat(3e6) }), 413);
  assert.deepEqual(await provider.entries(), []);
  for (const [error, status] of [["rate_limit", 429], ["server_error", 502], ["overloaded", 503], ["invalid_request", 400]]) {
    await failsWith(ask({}, { contents: say("Hi.", { error }) }), status);
    await forgetTrouble();
  }
});

test("time-outs of the client and of the gateway", async () => {
  const provider = await Provider.watch(stack);
  const contents = say("Wait.", { delay_ms: 8000 });
  const call = connect({ timeout: 400 }).models.generateContent({ model: GEMINI, contents });
  await assert.rejects(call, /abort|time/i);
  await wasCutOff(provider);
  const slow = models.generateContent({ model: "hasty-google/m", contents });
  await assert.rejects(slow, (error) => error instanceof ApiError && error.status === 504);
});

for (const fault of ["error_after", "reset_after", "close_after"]) {
  test(`a stream broken by ${fault} fails in-band`, async () => {
    const contents = say("Hi.", { events: 10, fault: { [fault]: 3 } });
    const { text, error } = await read(await models.generateContentStream({ model: GEMINI, contents }));
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(text, "one two three ");
  });
}
