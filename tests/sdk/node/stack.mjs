// Starts the mock provider and the gateway (serve.py) for one test file, and reads what the mock saw.

import { spawn } from "node:child_process";
import { once } from "node:events";
import assert from "node:assert/strict";
import { after, test as plainTest } from "node:test";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const OPENAI_MODEL = "openai/gpt-5.4";
export const ANTHROPIC_MODEL = "anthropic/claude-haiku-4-5";
export const GOOGLE_MODEL = "google/gemini-2.5-flash";
export const CLAUDE = "claude-haiku-4-5";
export const GEMINI = "gemini-2.5-flash";
/** How soon after a client left the provider must see its connection closed. */
export const CANCEL_WITHIN_MS = 1000;
/** A 1×1 picture. */
export const PNG_BASE64 =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPhfDwAChAGAhcvNVQAAAABJRU5ErkJggg==";
export const WEATHER_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

// Nothing of the developer's own environment may decide where an SDK connects or with which key.
for (const name of Object.keys(process.env)) {
  if (/(_PROXY|_API_KEY|_BASE_URL|_AUTH_TOKEN)$/i.test(name)) delete process.env[name];
}

/** A user text that tells the mock how to answer; without instructions just the text. */
export function say(text, reply) {
  return reply ? `${text} [[mock ${JSON.stringify(reply)}]]` : text;
}

/** Set when the stack runs. */
let forget = async () => {};

/** Makes the gateway forget that a provider refused or limited its keys. */
export const forgetTrouble = () => forget();

/** A test that cannot hang, and is not answered with what an earlier one scripted. */
export function test(name, body) {
  plainTest(name, { timeout: 30_000 }, async () => {
    try {
      await body();
    } finally {
      await forgetTrouble();
    }
  });
}

/** Starts everything and stops it after the tests of this file. */
export async function start() {
  const script = fileURLToPath(new URL("../serve.py", import.meta.url));
  const python = process.env.AROUTER_TEST_PYTHON ?? "python3";
  const process_ = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: process_.stdout });
  const ended = once(process_, "exit");
  const [line] = await Promise.race([
    once(lines, "line"),
    ended.then(([code]) => {
      throw new Error(`serve.py ended with ${code}`);
    }),
  ]);
  const stack = JSON.parse(line);
  forget = async () => {
    const forgotten = once(lines, "line");
    process_.stdin.write("\n");
    await forgotten;
  };
  after(async () => {
    process_.stdin.end();
    const [code] = await ended;
    assert.equal(code, 0, "the gateway or the mock did not live to the end of the tests");
  });
  return stack;
}

async function fetchJson(url, options) {
  const answer = await fetch(url, options);
  assert.equal(answer.status, 200, `${url}: ${answer.status}`);
  return answer.json();
}

/** What the mock saw since this object was made. */
export class Provider {
  static async watch(stack) {
    const provider = new Provider();
    provider.url = stack.mock;
    provider.start = Math.max(0, ...(await provider.#journal()).map((entry) => entry.seq));
    return provider;
  }

  async #journal() {
    return fetchJson(`${this.url}/__journal`);
  }

  /** Requests that came to their end. */
  async entries() {
    return (await this.#journal()).filter((entry) => entry.seq > this.start);
  }

  /** The one request the test caused, as soon as it came to its end. */
  async only(withinMs = 5000) {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = await this.entries();
      if (found.length > 0) {
        assert.equal(found.length, 1, JSON.stringify(found));
        return found[0];
      }
      assert.ok(performance.now() < deadline, `the provider saw no request end in ${withinMs} ms`);
      await sleep(10);
    }
  }

  /** The body of the last request, as the provider got it. */
  async lastBody() {
    return JSON.parse((await fetchJson(`${this.url}/__last`)).body);
  }
}

/** The gateway's record of a request; it is written a moment later. */
export async function generation(stack, id) {
  const url = `${stack.gateway}/api/v1/generation?id=${id}`;
  const headers = { authorization: `Bearer ${stack.keys.full}` };
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(url, { headers });
    if (answer.status === 200) return answer.json();
    assert.ok(answer.status === 404 && tries < 100, `${url}: ${answer.status}`);
    await sleep(50);
  }
}

/** Asserts that a stream was cut off at the provider. */
export async function wasCutOff(provider) {
  const entry = await provider.only(CANCEL_WITHIN_MS);
  assert.ok(entry.client_closed && !entry.finished, JSON.stringify(entry));
  return entry;
}
