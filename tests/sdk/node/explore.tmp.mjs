import { start, say } from "./stack.mjs";
import { test } from "node:test";
import { OpenRouter } from "@openrouter/sdk";
const stack = await start();
test("x", async () => {
  const opt = { serverURL: stack.gateway + "/api/v1", retryConfig: { strategy: "none" } };
  const c = new OpenRouter({ apiKey: stack.keys.full, ...opt });
  const m = new OpenRouter({ apiKey: stack.keys.manager, ...opt });
  const t = async (n, f) => { try { let r = await f(); console.log("OK ", n, JSON.stringify(r).slice(0, 300)); } catch (e) { console.log("ERR", n, e.constructor.name, String(e.message).slice(0, 900)); } };
  const collect = async (p) => { const out = []; for await (const e of await p) out.push(e); return out; };
  const u = (p, r) => [{ role: "user", content: say(p, r) }];
  for (const mod of ["openai/gpt-5.4", "anthropic/claude-haiku-4-5", "google/gemini-2.5-flash", "responses/gpt-5.4"]) {
    await t("chat " + mod, () => c.chat.send({ chatRequest: { model: mod, messages: u("Hi", { text: "Yo" }) } }));
    await t("stream " + mod, () => collect(c.chat.send({ chatRequest: { model: mod, messages: u("Hi", { text: "Yo", reasoning: "hm" }), stream: true } })));
    await t("tools stream " + mod, () => collect(c.chat.send({ chatRequest: { model: mod, messages: u("Hi", { tools: [{ name: "weather", arguments: { city: "P" } }] }), stream: true, tools: [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }] } })));
    await t("reason " + mod, () => c.chat.send({ chatRequest: { model: mod, messages: u("Hi", { text: "Yo", reasoning: "hm" }) } }));
    await t("resp " + mod, () => c.beta.responses.send({ responsesRequest: { model: mod, input: say("Hi", { text: "Yo", reasoning: "hm" }) } }));
    await t("resp stream " + mod, () => collect(c.beta.responses.send({ responsesRequest: { model: mod, stream: true, input: say("Hi", { text: "Yo", reasoning: "hm" }) } })));
    await t("callModel " + mod, () => c.callModel({ model: mod, input: say("Hi", { text: "Yo", reasoning: "hm" }) }).getText());
  }
  await t("emb", () => c.embeddings.generate({ requestBody: { model: "openai/text-embedding-3-small", input: "hi" } }));
  await t("cur", () => c.apiKeys.getCurrentKeyMetadata());
  await t("credits", () => m.credits.getCredits());
  await t("activity", () => m.analytics.getUserActivity());
  await t("keys", () => m.apiKeys.list());
  await t("create", () => m.apiKeys.create({ requestBody: { name: "x" } }));
  const r = await fetch(stack.gateway + "/api/v1/chat/completions", { method: "POST", headers: { authorization: `Bearer ${stack.keys.full}` }, body: JSON.stringify({ model: "openai/gpt-5.4", messages: u("x") }) }).then((r) => r.json());
  await new Promise((r) => setTimeout(r, 1500));
  await t("gen", () => c.generations.getGeneration({ id: r.id }));
});
