// OpenRouter's SDK for TypeScript against the gateway: models, endpoints and providers.

import assert from "node:assert/strict";
import { OpenRouter } from "@openrouter/sdk";
import { ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, start, test } from "../stack.mjs";

const stack = await start();
const connect = (apiKey = stack.keys.full) =>
  new OpenRouter({ apiKey, serverURL: `${stack.gateway}/api/v1`, retryConfig: { strategy: "none" } });
const client = connect();

/** All models of a list, which may come in pages. */
async function all(asked) {
  const listed = await asked;
  if (!listed[Symbol.asyncIterator]) return listed.data;
  const models = [];
  for await (const page of listed) models.push(...(page.result ?? page).data);
  return models;
}

test("models", async () => {
  const models = await all(client.models.list());
  const model = models.find(({ id }) => id === ANTHROPIC_MODEL);
  assert.deepEqual([model.contextLength, model.pricing.prompt], [200_000, "0.000003"]);
  assert.equal((await client.models.count()).data.count, models.length);
  const bearer = stack.keys.openai_only;
  const own = (await all(client.models.listForUser({ bearer }))).map(({ id }) => id);
  assert.ok(own.includes(OPENAI_MODEL) && !own.includes(GOOGLE_MODEL));
  const one = await client.models.get({ author: "openai", slug: "gpt-5.4" });
  assert.equal(one.data.id, OPENAI_MODEL);
});

test("models of embeddings", async () => {
  const models = await all(client.embeddings.listModels());
  assert.ok(models.some(({ id }) => id === "openai/text-embedding-3-small"));
  assert.ok(models.every(({ id }) => id !== OPENAI_MODEL));
});

test("endpoints", async () => {
  for (const model of [OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL]) {
    const [author, slug] = model.split("/");
    const { data } = await client.endpoints.list({ author, slug });
    assert.deepEqual([data.id, data.endpoints.length], [model, 1]);
    assert.ok(Number(data.endpoints[0].pricing.prompt) > 0);
  }
  assert.ok(Array.isArray((await client.endpoints.listZdrEndpoints()).data));
});

test("providers", async () => {
  const { data } = await client.providers.list();
  const slugs = data.map(({ slug }) => slug);
  for (const slug of ["openai", "anthropic", "google"]) assert.ok(slugs.includes(slug), slug);
});
