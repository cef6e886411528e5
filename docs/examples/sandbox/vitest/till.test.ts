// Tests of a till against a sandbox, typed by what openapi-typescript makes of
// /openapi-sandbox.json. Each test has a world of its own.
import createClient from "openapi-fetch";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { paths } from "./api";

declare const process: { env: Record<string, string | undefined> };
const baseUrl = process.env.GIFTCARDS_SANDBOX_URL ?? "http://127.0.0.1:8080";
const sandbox = createClient<paths>({ baseUrl });

// The code under test: it retries under the same key, and waits as it is told. The first
// attempt has the headers in `once`.
async function redeem(card: Record<string, string>, amount: string, once: Record<string, string> = {}) {
  const key = crypto.randomUUID();
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const answer = await sandbox.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/redeem", {
        params: { path: { programId: card.programId, cardId: card.cardId } },
        body: { amount },
        headers: { Authorization: `Bearer ${card.token}`, "Idempotency-Key": key, ...(attempt === 0 ? once : {}) },
      });
      if (![429, 503].includes(answer.response.status)) return answer;
      const seconds = Number(answer.response.headers.get("Retry-After"));
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch's error of a broken connection
    }
  }
  throw new Error("no answer to three attempts");
}

let world: string;
beforeEach(() => {
  world = `vitest-${crypto.randomUUID()}`;
});
afterEach(async () => {
  await sandbox.DELETE("/sandbox/worlds/{name}", { params: { path: { name: world } } });
});

async function state(name: string) {
  const { data, response } = await sandbox.POST("/sandbox/states", { body: { state: name, params: { world } } });
  expect(response.status).toBe(200);
  return data as unknown as Record<string, string>;
}

test.each<Record<string, string>>([{ "Sandbox-Fault": "lost-answer" }, { "Sandbox-Fault": "down" }, { Prefer: "code=429" }])("a retry after %o redeems once", async (trouble) => {
  const { data } = await redeem(await state("an active card"), "5.00", trouble);
  expect(data?.remainingBalance).toBe("20.00");
  const asked = await sandbox.GET("/sandbox/requests", { params: { query: { world, operation: "redeemGiftCard" } } });
  const keys = asked.data!.requests.map((request) => request.idempotencyKey);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

test("a card that has expired by then", async () => {
  const card = await state("an active card");
  const { error } = await redeem(card, "5.00", { "Sandbox-Now": "2090-01-01T00:00:00Z" });
  expect(error).toEqual({ detail: "Gift card has expired" });
  expect((await redeem(card, "5.00")).data?.remainingBalance).toBe("20.00");
});
