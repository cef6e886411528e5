// Issues and uses gift cards through openapi-fetch, typed by what openapi-typescript makes.
import createClient from "openapi-fetch";
import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import type { paths } from "./client/api.js";

const env = process.env as Record<string, string>;
const api = createClient<paths>({ baseUrl: env.GIFTCARDS_URL });
const path = { programId: env.GIFTCARDS_PROGRAM_ID };
const passed = (step: string) => console.log("passed", step);

const login = await api.POST("/v2/token", {
  body: { username: env.GIFTCARDS_USERNAME, password: env.GIFTCARDS_PASSWORD },
  // A form; openapi-fetch knows JSON only.
  bodySerializer: (body) => new URLSearchParams(body as Record<string, string>),
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
});
const token = login.data?.accessToken;
assert(token, `login: ${login.response.status}`);
api.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
  },
});
passed("token");

const create = (initialValue: string) =>
  api.POST("/v2/giftcards/programs/{programId}/cards", {
    params: { path },
    body: { initialValue, merchantId: env.GIFTCARDS_MERCHANT_ID },
  });
const created = await create("25.10");
assert.equal(created.data?.initialValue, "25.10", `create: ${created.response.status}`);
assert.equal(created.data.status, "pending");
passed("create");

const refused = await create("0");
assert.equal(refused.response.status, 422);
assert(refused.error && Array.isArray(refused.error.detail), "refused: no list of faults"); // tells 422 from the other errors
assert.deepEqual(refused.error.detail[0]?.loc, ["body", "initialValue"]);
assert.equal(refused.error.detail[0]?.type, "greater_than_equal");
passed("refused");

const { id: cardId, cardNumber } = created.data;
const card = { params: { path: { ...path, cardId } } };
const active = await api.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/activate", { ...card, body: {} });
assert.equal(active.data?.balance, "25.10", `activate: ${active.response.status}`);
assert.equal(active.data.status, "active");
passed("activate");

const details = await api.GET("/v2/giftcards/programs/{programId}/cards/{cardId}", {
  params: { ...card.params, query: { include_transactions: true } },
});
assert.equal(details.data?.transactions?.[0]?.transactionType, "ACTIVATION", `details: ${details.response.status}`);
passed("details");

const redeem = (amount: string) =>
  api.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/redeem", { ...card, body: { amount } });
const redeemed = await redeem("10.00");
assert.equal(redeemed.data?.remainingBalance, "15.10", `redeem: ${redeemed.response.status}`);
passed("redeem");

const tooMuch = await redeem("15.11");
assert.equal(tooMuch.response.status, 400);
assert.equal(tooMuch.error?.detail, "Insufficient gift card balance");
passed("insufficient");

const refund = await api.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/transactions/{transactionId}/refund", {
  params: { path: { ...path, cardId, transactionId: redeemed.data.transactionId } },
  body: {}, // without an amount: all of it
});
assert.equal(refund.data?.remainingBalance, "25.10", `refund: ${refund.response.status}`);
passed("refund");

const reload = await api.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/reload", { ...card, body: { amount: "5.00" } });
assert.equal(reload.data?.balance, "30.10", `reload: ${reload.response.status}`);
passed("reload");

const bulk = (count: number, key?: string) =>
  api.POST("/v2/giftcards/programs/{programId}/cards/bulk", {
    params: { path, header: { "idempotency-key": key } },
    body: { initialValue: "10.00", count },
  });
const few = await bulk(50);
assert(few.data && "cards" in few.data, `bulk: ${few.response.status}`);
assert.equal(few.data.cards.length, 50);
passed("bulk");

const key = crypto.randomUUID();
const many = await bulk(500, key);
assert.equal(many.response.status, 202);
assert(many.data && "taskId" in many.data, "task: no taskId");
const { taskId } = many.data;
passed("task");

async function completed() {
  for (let polls = 0; polls < 30; polls++) {
    const { data, response } = await api.GET("/v2/giftcards/programs/{programId}/cards/bulk/{taskId}", {
      params: { path: { ...path, taskId } },
    });
    assert(data && data.status !== "failed", `poll: ${data?.status ?? response.status}`);
    if (data.status === "completed") return data;
    await sleep(1000 * Number(response.headers.get("Retry-After")));
  }
  throw new Error("poll: the task is not done after 30 polls");
}
const task = await completed();
assert.equal(task.issuedCount, 500);
assert.equal(task.cards?.length, 500);
passed("poll");

const replay = await bulk(500, key);
assert(replay.data && "taskId" in replay.data, `replay: ${replay.response.status}`);
assert.equal(replay.data.taskId, taskId);
assert.equal(replay.response.headers.get("Idempotent-Replayed"), "true");
passed("replay");

const link = task.csvDownloadUrl?.split("/").pop();
assert(link, "csv: no link");
const csv = await api.GET("/v2/giftcards/downloads/{link}", { params: { path: { link } }, parseAs: "text" });
assert.equal(csv.data?.trimEnd().split("\n").length, 501);
passed("csv");

// Only the CSV has the security code that a transfer asks for.
const [, securityCode, , , sourceId] = csv.data.split("\r\n")[1].split(",");
const source = { params: { path: { ...path, cardId: sourceId } } };
await api.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/activate", { ...source, body: {} });
const transfer = await api.POST("/v2/giftcards/programs/{programId}/cards/{cardId}/transfer", {
  ...source,
  body: { securityCode, destinationCardNumber: cardNumber, amount: "4.90" },
});
assert.equal(transfer.data?.sourceCard.remainingBalance, "5.10", `transfer: ${transfer.response.status}`);
assert.equal(transfer.data.destinationCard.newBalance, "35.00");
passed("transfer");

const list = await api.GET("/v2/giftcards/programs/cards", { params: { query: { ...path, status: "active" } } });
assert(list.data?.some((card) => card.id === cardId), `list: ${list.response.status}, without the card`);
passed("list");

const search = await api.GET("/v2/giftcards/programs/{programId}/search", { params: { path, query: { q: cardNumber } } });
assert.deepEqual(search.data?.map((card) => [card.id, card.balance]), [[cardId, "35.00"]]);
passed("search");

await api.POST("/v2/token/logout");
const stranger = await api.GET("/v2/token");
assert.equal(stranger.response.status, 401);
assert.equal(typeof stranger.error?.detail, "string");
passed("logout");
