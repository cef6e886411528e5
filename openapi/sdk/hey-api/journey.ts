// Issues and uses gift cards through the client that hey-api makes.
import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { client } from "./client/client.gen.js";
import {
  activateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePost as activateCard,
  bulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost as bulkIssue,
  createGiftCardV2GiftcardsProgramsProgramIdCardsPost as createCard,
  downloadGiftCardsV2GiftcardsDownloadsLinkGet as download,
  getGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGet as cardDetails,
  getGiftCardsV2GiftcardsProgramsCardsGet as listCards,
  getTokenInfoV2TokenGet as tokenInfo,
  loginForAccessTokenV2TokenPost as login,
  logoutV2TokenLogoutPost as logout,
  pollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGet as poll,
  redeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPost as redeemCard,
  refundGiftCardTransactionV2GiftcardsProgramsProgramIdCardsCardIdTransactionsTransactionIdRefundPost as refundTransaction,
  reloadGiftCardV2GiftcardsProgramsProgramIdCardsCardIdReloadPost as reloadCard,
  searchGiftCardsV2GiftcardsProgramsProgramIdSearchGet as searchCards,
  transferGiftCardBalanceV2GiftcardsProgramsProgramIdCardsCardIdTransferPost as transferBalance,
} from "./client/index.js";

const env = process.env as Record<string, string>;
const path = { programId: env.GIFTCARDS_PROGRAM_ID };
const passed = (step: string) => console.log("passed", step);
client.setConfig({ baseUrl: env.GIFTCARDS_URL });

const session = await login({ body: { username: env.GIFTCARDS_USERNAME, password: env.GIFTCARDS_PASSWORD } });
const token = session.data?.accessToken;
assert(token, `login: ${session.response?.status}`);
client.setConfig({ auth: token });
passed("token");

const create = (initialValue: string) =>
  createCard({ path, body: { initialValue, merchantId: env.GIFTCARDS_MERCHANT_ID } });
const created = await create("25.10");
assert.equal(created.data?.initialValue, "25.10", `create: ${created.response?.status}`);
assert.equal(created.data.status, "pending");
passed("create");

const refused = await create("0");
assert.equal(refused.response?.status, 422);
assert(refused.error && Array.isArray(refused.error.detail), "refused: no list of faults"); // tells 422 from the other errors
assert.deepEqual(refused.error.detail[0]?.loc, ["body", "initialValue"]);
assert.equal(refused.error.detail[0]?.type, "greater_than_equal");
passed("refused");

const { id: cardId, cardNumber } = created.data;
const card = { ...path, cardId };
const active = await activateCard({ path: card, body: {} });
assert.equal(active.data?.balance, "25.10", `activate: ${active.response?.status}`);
assert.equal(active.data.status, "active");
passed("activate");

const details = await cardDetails({ path: card, query: { include_transactions: true } });
assert.equal(details.data?.transactions?.[0]?.transactionType, "ACTIVATION", `details: ${details.response?.status}`);
passed("details");

const redeem = (amount: string) => redeemCard({ path: card, body: { amount } });
const redeemed = await redeem("10.00");
assert.equal(redeemed.data?.remainingBalance, "15.10", `redeem: ${redeemed.response?.status}`);
passed("redeem");

const tooMuch = await redeem("15.11");
assert.equal(tooMuch.response?.status, 400);
assert.equal(tooMuch.error?.detail, "Insufficient gift card balance");
passed("insufficient");

// A refund without an amount gives all of it back.
const refund = await refundTransaction({ path: { ...card, transactionId: redeemed.data.transactionId }, body: {} });
assert.equal(refund.data?.remainingBalance, "25.10", `refund: ${refund.response?.status}`);
passed("refund");

const reload = await reloadCard({ path: card, body: { amount: "5.00" } });
assert.equal(reload.data?.balance, "30.10", `reload: ${reload.response?.status}`);
passed("reload");

const bulk = (count: number, key?: string) =>
  bulkIssue({ path, headers: { "idempotency-key": key }, body: { initialValue: "10.00", count } });
const few = await bulk(50);
assert(few.data && "cards" in few.data, `bulk: ${few.response?.status}`);
assert.equal(few.data.cards.length, 50);
passed("bulk");

const key = crypto.randomUUID();
const many = await bulk(500, key);
assert.equal(many.response?.status, 202);
assert(many.data && "taskId" in many.data, "task: no taskId");
const { taskId } = many.data;
passed("task");

async function completed() {
  for (let polls = 0; polls < 30; polls++) {
    const { data, response } = await poll({ path: { ...path, taskId } });
    assert(data && data.status !== "failed", `poll: ${data?.status ?? response?.status}`);
    if (data.status === "completed") return data;
    await sleep(1000 * Number(response?.headers.get("Retry-After")));
  }
  throw new Error("poll: the task is not done after 30 polls");
}
const task = await completed();
assert.equal(task.issuedCount, 500);
assert.equal(task.cards?.length, 500);
passed("poll");

const replay = await bulk(500, key);
assert(replay.data && "taskId" in replay.data, `replay: ${replay.response?.status}`);
assert.equal(replay.data.taskId, taskId);
assert.equal(replay.response?.headers.get("Idempotent-Replayed"), "true");
passed("replay");

const link = task.csvDownloadUrl?.split("/").pop();
assert(link, "csv: no link");
const csv = await download({ path: { link } });
assert.equal(csv.data?.trimEnd().split("\n").length, 501);
passed("csv");

// Only the CSV has the security code that a transfer asks for.
const [, securityCode, , , sourceId] = csv.data.split("\r\n")[1].split(",");
const source = { ...path, cardId: sourceId };
await activateCard({ path: source, body: {} });
const transfer = await transferBalance({
  path: source,
  body: { securityCode, destinationCardNumber: cardNumber, amount: "4.90" },
});
assert.equal(transfer.data?.sourceCard.remainingBalance, "5.10", `transfer: ${transfer.response?.status}`);
assert.equal(transfer.data.destinationCard.newBalance, "35.00");
passed("transfer");

const list = await listCards({ query: { ...path, status: "active" } });
assert(list.data?.some((card) => card.id === cardId), `list: ${list.response?.status}, without the card`);
passed("list");

const search = await searchCards({ path, query: { q: cardNumber } });
assert.deepEqual(search.data?.map((card) => [card.id, card.balance]), [[cardId, "35.00"]]);
passed("search");

await logout();
const stranger = await tokenInfo();
assert.equal(stranger.response?.status, 401);
assert(stranger.error && typeof stranger.error.detail === "string", "logout: no sentence");
passed("logout");
