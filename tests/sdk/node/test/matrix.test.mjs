// The SDKs for Node against providers of the formats they do not speak.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, WEATHER_SCHEMA, say, start, test } from "../stack.mjs";

const stack = await start();
const RESPONSES_MODEL = "responses/gpt-5.4";
const MODELS = [OPENAI_MODEL, RESPONSES_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL];
const options = { apiKey: stack.keys.full, maxRetries: 0 };
const openai = new OpenAI({ ...options, baseURL: `${stack.gateway}/v1` });
const anthropic = new Anthropic({ ...options, baseURL: stack.gateway });
const google = new GoogleGenAI({
  apiKey: stack.keys.full, httpOptions: { baseUrl: stack.gateway, retryOptions: { attempts: 1 } },
});
const ANSWER = { text: "one two three", reasoning: "let me think", tokens: { prompt: 120, completion: 45 } };
const CALL = { tools: [{ name: "weather", arguments: { city: "Z\u00fcrich" }, id: "call_0123456789" }] };

for (const model of MODELS) {
  test(`${model}: responses`, async () => {
    const answer = await openai.responses.create({ model, input: say("Count.", ANSWER) });
    assert.equal(answer.output_text, "one two three");
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [120, 45]);
  });

  test(`${model}: responses streamed`, async () => {
    const stream = openai.responses.stream({ model, input: say("Count.", ANSWER) });
    const texts = [];
    stream.on("response.output_text.delta", (event) => texts.push(event.delta));
    const final = await stream.finalResponse();
    assert.deepEqual(texts, ["one ", "two ", "three"]);
    assert.equal(final.output_text, "one two three");
    const [reasoning] = final.output.filter((item) => item.type === "reasoning");
    const parts = reasoning.summary.length ? reasoning.summary : reasoning.content;
    assert.equal(parts.map((part) => part.text).join(""), "let me think");
  });

  test(`${model}: responses call a function and go on`, async () => {
    const tools = [{ type: "function", name: "weather", parameters: WEATHER_SCHEMA, strict: false }];
    const question = { role: "user", content: say("Weather?", CALL) };
    const first = await openai.responses.stream({ model, input: [question], tools }).finalResponse();
    const [call] = first.output.filter((item) => item.type === "function_call");
    assert.deepEqual([call.name, JSON.parse(call.arguments)], ["weather", { city: "Z\u00fcrich" }]);
    const output = { type: "function_call_output", call_id: call.call_id, output: "sunny" };
    const turns = first.output.map(({ parsed_arguments: _, ...item }) => item);
    const second = await openai.responses.create({ model, input: [question, ...turns, output], tools });
    assert.ok(second.output_text.length > 0);
  });

  test(`${model}: messages streamed`, async () => {
    const stream = anthropic.messages.stream({
      model, max_tokens: 100, messages: [{ role: "user", content: say("Count.", ANSWER) }],
    });
    const final = await stream.finalMessage();
    // What a provider encrypted comes along as a block without words.
    const said = final.content.map((block) => block.thinking ?? block.text).filter(Boolean);
    assert.deepEqual(said, ["let me think", "one two three"]);
    assert.equal(final.stop_reason, "end_turn");
    assert.equal(final.usage.output_tokens, 45);
  });

  test(`${model}: messages call a tool and go on`, async () => {
    const tools = [{ name: "weather", input_schema: WEATHER_SCHEMA }];
    const question = { role: "user", content: say("Weather?", CALL) };
    const request = { model, max_tokens: 100, tools };
    const first = await anthropic.messages.stream({ ...request, messages: [question] }).finalMessage();
    const [call] = first.content.filter((block) => block.type === "tool_use");
    assert.deepEqual([call.name, call.input], ["weather", { city: "Z\u00fcrich" }]);
    const result = { type: "tool_result", tool_use_id: call.id, content: "sunny" };
    const messages = [
      question, { role: "assistant", content: first.content }, { role: "user", content: [result] },
    ];
    const second = await anthropic.messages.create({ ...request, messages });
    assert.equal(second.stop_reason, "end_turn");
  });

  test(`${model}: generateContent streamed`, async () => {
    const config = { thinkingConfig: { includeThoughts: true } };
    const contents = say("Count.", ANSWER);
    const chunks = [];
    for await (const chunk of await google.models.generateContentStream({ model, contents, config }))
      chunks.push(chunk);
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    const said = (thought) =>
      parts.filter((part) => Boolean(part.thought) === thought).map((part) => part.text ?? "").join("");
    assert.deepEqual([said(true), said(false)], ["let me think", "one two three"]);
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
    assert.equal(chunks.at(-1).usageMetadata.promptTokenCount, 120);
  });

  test(`${model}: generateContent calls a function`, async () => {
    const declared = { name: "weather", parametersJsonSchema: WEATHER_SCHEMA };
    const answer = await google.models.generateContent({
      model, contents: say("Weather?", CALL), config: { tools: [{ functionDeclarations: [declared] }] },
    });
    const [call] = answer.functionCalls;
    assert.deepEqual([call.name, call.args], ["weather", { city: "Z\u00fcrich" }]);
  });
}
