// Issues and uses gift cards through the client that OpenAPI Generator's typescript-fetch makes.
import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Configuration,
  ErrorDetailFromJSON,
  GiftCardsApi,
  HTTPValidationErrorFromJSON,
  ResponseError,
  TokenApi,
  instanceOfBulkIssuanceAsyncResponse,
  instanceOfBulkIssuanceSyncResponse,
} from "./client/index.js";

const env = process.env as Record<string, string>;
const basePath = env.GIFTCARDS_URL;
const programId = env.GIFTCARDS_PROGRAM_ID;
const passed = (step: string) => console.log("passed", step);

const login = await new TokenApi(new Configuration({ basePath })).loginForAccessTokenV2TokenPost({
  username: env.GIFTCARDS_USERNAME,
  password: env.GIFTCARDS_PASSWORD,
});
assert(login.accessToken, "login: no token");
const configuration = new Configuration({ basePath, accessToken: login.accessToken });
const cards = new GiftCardsApi(configuration);
passed("token");

// Errors are thrown with the response; its type is chosen by the status.
async function refusal(call: Promise<unknown>): Promise<Response> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) return error.response;
    throw error;
  }
  throw new Error("refused: it was accepted");
}

const create = (initialValue: string) =>
  cards.createGiftCardV2GiftcardsProgramsProgramIdCardsPost({
    programId,
    createGiftCardRequest: { initialValue, merchantId: env.GIFTCARDS_MERCHANT_ID },
  });
const created = await create("25.10");
assert.equal(created.initialValue, "25.10");
assert.equal(created.status, "pending");
passed("create");

const refused = await refusal(create("0"));
assert.equal(refused.status, 422);
const { detail } = HTTPValidationErrorFromJSON(await refused.json());
assert.deepEqual(detail?.[0].loc, ["body", "initialValue"]);
assert.equal(detail?.[0].type, "greater_than_equal");
passed("refused");

const { id: cardId, cardNumber } = created;
const active = await cards.activateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePost({
  programId,
  cardId,
  activateGiftCardRequest: {},
});
assert.equal(active.balance, "25.10");
assert.equal(active.status, "active");
passed("activate");

const details = await cards.getGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGet({
  programId,
  cardId,
  includeTransactions: true,
});
assert.equal(details.transactions?.[0].transactionType, "ACTIVATION");
passed("details");

const redeem = (amount: string) =>
  cards.redeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPost({ programId, cardId, redeemRequest: { amount } });
const redeemed = await redeem("10.00");
assert.equal(redeemed.remainingBalance, "15.10");
passed("redeem");

const tooMuch = await refusal(redeem("15.11"));
assert.equal(tooMuch.status, 400);
assert.equal(ErrorDetailFromJSON(await tooMuch.json()).detail, "Insufficient gift card balance");
passed("insufficient");

const refund =
  await cards.refundGiftCardTransactionV2GiftcardsProgramsProgramIdCardsCardIdTransactionsTransactionIdRefundPost({
    programId,
    cardId,
    transactionId: redeemed.transactionId,
    refundTransactionRequest: {}, // without an amount: all of it
  });
assert.equal(refund.remainingBalance, "25.10");
passed("refund");

const reload = await cards.reloadGiftCardV2GiftcardsProgramsProgramIdCardsCardIdReloadPost({
  programId,
  cardId,
  reloadRequest: { amount: "5.00" },
});
assert.equal(reload.balance, "30.10");
passed("reload");

const bulk = async (count: number, idempotencyKey?: string) => {
  const answer = await cards.bulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostRaw({
    programId,
    idempotencyKey,
    bulkIssueGiftCardRequest: { initialValue: "10.00", count },
  });
  return { raw: answer.raw, value: await answer.value() };
};
const few = await bulk(50);
assert(instanceOfBulkIssuanceSyncResponse(few.value), "bulk: no cards");
assert.equal(few.value.cards.length, 50);
passed("bulk");

const key = crypto.randomUUID();
const many = await bulk(500, key);
assert.equal(many.raw.status, 202);
assert(instanceOfBulkIssuanceAsyncResponse(many.value), "task: no taskId");
const { taskId } = many.value;
passed("task");

async function completed() {
  for (let polls = 0; polls < 30; polls++) {
    const answer = await cards.pollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGetRaw({ programId, taskId });
    const status = await answer.value();
    assert.notEqual(status.status, "failed", "poll: the task failed");
    if (status.status === "completed") return status;
    await sleep(1000 * Number(answer.raw.headers.get("Retry-After")));
  }
  throw new Error("poll: the task is not done after 30 polls");
}
const task = await completed();
assert.equal(task.issuedCount, 500);
assert.equal(task.cards?.length, 500);
passed("poll");

const replay = await bulk(500, key);
assert(instanceOfBulkIssuanceAsyncResponse(replay.value), "replay: no taskId");
assert.equal(replay.value.taskId, taskId);
assert.equal(replay.raw.headers.get("Idempotent-Replayed"), "true");
passed("replay");

const link = task.csvDownloadUrl?.split("/").pop();
assert(link, "csv: no link");
const csv = await cards.downloadGiftCardsV2GiftcardsDownloadsLinkGet({ link });
assert.equal(csv.trimEnd().split("\n").length, 501);
passed("csv");

// Only the CSV has the security code that a transfer asks for.
const [, securityCode, , , source] = csv.split("\r\n")[1].split(",");
await cards.activateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePost({
  programId,
  cardId: source,
  activateGiftCardRequest: {},
});
const transfer = await cards.transferGiftCardBalanceV2GiftcardsProgramsProgramIdCardsCardIdTransferPost({
  programId,
  cardId: source,
  transferBalanceRequest: { securityCode, destinationCardNumber: cardNumber, amount: "4.90" },
});
assert.equal(transfer.sourceCard.remainingBalance, "5.10");
assert.equal(transfer.destinationCard.newBalance, "35.00");
passed("transfer");

const list = await cards.getGiftCardsV2GiftcardsProgramsCardsGet({ programId, status: "active" });
assert(list.some((card) => card.id === cardId), "list: without the card");
passed("list");

const search = await cards.searchGiftCardsV2GiftcardsProgramsProgramIdSearchGet({ programId, q: cardNumber });
assert.deepEqual(search.map((card) => [card.id, card.balance]), [[cardId, "35.00"]]);
passed("search");

const session = new TokenApi(configuration);
await session.logoutV2TokenLogoutPost();
const stranger = await refusal(session.getTokenInfoV2TokenGet());
assert.equal(stranger.status, 401);
assert.equal(typeof ErrorDetailFromJSON(await stranger.json()).detail, "string");
passed("logout");
