// Drives the page of a sandbox: node check.js http://127.0.0.1:8080. It uses the keyboard
// alone where people may have nothing else.
const fs = require("fs");
const path = require("path");
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const base = process.argv[2];
const pictures = process.env.PICTURES;
const wait = { timeout: 30_000 };
let failed = 0;

function check(what, ok, found = "") {
  console.log(`${ok ? "ok  " : "FAIL"} ${what}${ok ? "" : `: ${found}`}`);
  failed += ok ? 0 : 1;
}

async function ask(method, path, token, body, headers = {}) {
  const answer = await fetch(base + path, {
    method, body: body && JSON.stringify(body),
    headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }), Connection: "close", ...headers },
  });
  const text = await answer.text();
  return text.startsWith("{") ? JSON.parse(text) : text;
}

// textOf waits until an element has a text.
async function says(page, id, text) {
  await page.waitForFunction((id, text) => document.getElementById(id).textContent.includes(text), wait, id, text);
}

// tabTo presses Tab until an element has the focus.
async function tabTo(page, selector) {
  for (let i = 0; i < 200; i++) {
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) {
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${selector}`);
}

// traffic sends what a page should show: a retry, a refusal, a fault, a login, a stuck task.
async function traffic(world) {
  const cards = `/v2/giftcards/programs/${world.programId}/cards`;
  const card = { initialValue: "25.00", merchantId: world.merchantId, customerName: "<img src=x onerror=alert(1)>" };
  await ask("POST", cards, world.token, card, { "Idempotency-Key": "order-1017", "Sandbox-Fault": "lost-answer" }).catch(() => {});
  await ask("POST", cards, world.token, card, { "Idempotency-Key": "order-1017" });
  await ask("POST", cards, world.token, { initialValue: "-3", merchantId: world.merchantId });
  const made = await ask("POST", cards, world.token, card);
  await ask("POST", `${cards}/${made.id}/redeem`, world.token, { amount: "5.00" });
  await ask("POST", cards, world.token, card, { Prefer: "code=429" });
  await ask("GET", "/v2/token");
  await ask("GET", "/v2/nowhere/<b>", world.token);
  return ask("POST", `${cards}/bulk`, world.token, { initialValue: 5, count: 3 }, { "Sandbox-Task": "stuck" });
}

async function judge(page, name, width) {
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
  check(`${name}: nothing is wider than the screen`, wide <= width, `${wide} pixels`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  check(`${name}: axe finds nothing`, violations.length === 0, JSON.stringify(violations.map((v) => [v.id, v.nodes.map((n) => n.html).slice(0, 3)]), null, 1));
  if (pictures) {
    await page.screenshot({ path: path.join(pictures, `sandbox-${name.replaceAll(" ", "-")}.png`) });
  }
}

// use does with the keyboard what the page is for.
async function use(page) {
  await tabTo(page, "a.skip");
  await tabTo(page, "#world-name");
  await page.keyboard.type("keyboard");
  await page.keyboard.press("Enter");
  await says(page, "worlds-said", "keyboard is made");
  const world = JSON.parse(await page.$eval("#made-values", (pre) => pre.textContent));
  check("a world is made, with a token", world.name === "keyboard" && world.token?.length > 100, JSON.stringify(world));
  await page.focus("#world-name");
  await page.keyboard.type("keyboard");
  await page.keyboard.press("Enter");
  await says(page, "worlds-said", "exist");
  check("a refusal is told, as a fault", await page.$eval("#worlds-said", (p) => p.className.includes("fault")));

  await tabTo(page, "#state");
  await page.keyboard.type("an active card");
  await tabTo(page, "#param-amount");
  await page.keyboard.type("12.50");
  await page.keyboard.press("Enter");
  await says(page, "states-said", "Made: an active card");
  const values = JSON.parse(await page.$eval("#made-values", (pre) => pre.textContent));
  check("a state is made in the world", values.world === "keyboard" && values.balance === "12.50", JSON.stringify(values));

  const task = await traffic(world);
  await page.waitForFunction(() => document.querySelectorAll("#list > li").length >= 9, wait);
  const list = await page.$$eval("#list summary", (all) => all.map((summary) => summary.innerText.replaceAll(/\s+/g, " ")));
  for (const [at, ...parts] of [[0, "202", "bulkIssueGiftCards", "Sandbox-Task: stuck", "keyboard"], [1, "404", "no operation", "Not Found"], [2, "401", "get_token_info"],
    [3, "429", "Prefer: code=429"], [4, "400", "redeemGiftCard", "Gift card is not active"], [6, "422", "body.initialValue: "], [7, "201", "replayed", "key order-1017"], [8, "201", "no answer left"]]) {
    check(`request ${at} is told: ${parts.join(", ")}`, parts.every((part) => list[at].includes(part)), list[at]);
  }
  await tabTo(page, "#list > li:first-child summary");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#list > li:first-child details[open] pre", wait);
  await tabTo(page, "#list > li:first-child .inside button");
  await page.keyboard.press("Enter");
  await says(page, "requests-said", `Task ${task.taskId} goes on.`);
  const inside = await page.$eval("#list > li:first-child .inside", (div) => div.innerText);
  check("headers are shown without the token", inside.includes("Bearer (left out)") && !inside.includes(world.token));
  check("no text of a client is markup", (await page.$("#list img")) === null && (await page.$("#list b b")) === null);

  await page.focus("#by-status");
  await page.keyboard.type("422");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("#list > li").length === 1, wait);
  check("the address for tests is that of the filter", (await page.$eval("#address", (a) => a.href)) === `${base}/sandbox/requests?status=422`);
  const same = await ask("GET", "/sandbox/requests?status=422");
  check("and it answers what is shown", same.requests.length === 1 && same.requests[0].broke.length > 0);
  await page.$eval("#by-status", (input) => { input.value = ""; });
  await page.focus("#by-status");
  await page.keyboard.type("99");
  await page.keyboard.press("Enter");
  await says(page, "requests-said", "status must be a number from 100 to 599");
  await page.$eval("#by-status", (input) => { input.value = ""; });
  await page.select("#by-world", "keyboard");
  await page.waitForFunction(() => document.querySelectorAll("#list > li").length >= 8, wait);
  check("a world's requests are its own", !(await page.$$eval("#list summary", (all) => all.map((s) => s.innerText).join())).includes("401"));
  return world;
}

async function remove(page) {
  page.once("dialog", (dialog) => dialog.accept());
  await tabTo(page, "[aria-label='Delete keyboard']");
  await page.keyboard.press("Enter");
  await says(page, "worlds-said", "keyboard is deleted");
  check("a deleted world has no requests", (await ask("GET", "/sandbox/requests?world=keyboard")).detail?.includes("There is no world"));
}

(async () => {
  const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  const page = await browser.newPage();
  // A refusal is an answer that the page shows; the browser logs it all the same.
  page.on("console", (message) => message.type() === "error" && !message.text().includes("status of 4") && check("the console is silent", false, message.text()));
  page.on("pageerror", (fault) => check("the script has no fault", false, fault.stack));
  page.on("request", (request) => request.url().startsWith(base) || request.url().startsWith("data:") || check("the page asks no other server", false, request.url()));
  await page.setViewport({ width: 1280, height: 1000 });
  await page.goto(`${base}/sandbox`, wait);
  await use(page);
  for (const theme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    for (const width of [1280, 390]) {
      await page.setViewport({ width, height: width === 390 ? 844 : 1000, deviceScaleFactor: 1 });
      for (const at of ["/sandbox", "/sandbox/"]) {
        await page.goto(base + at, wait);
        await page.waitForFunction(() => document.querySelectorAll("#list > li").length >= 9 && document.querySelectorAll("#state option").length > 20, wait);
      }
      await page.click("#list > li:nth-child(7) summary");
      await judge(page, `${width} ${theme}`, width);
      if (pictures && width === 390) {
        await page.evaluate(() => document.getElementById("requests").scrollIntoView());
        await page.screenshot({ path: path.join(pictures, `sandbox-${width}-${theme}-requests.png`) });
      }
    }
  }
  await page.setViewport({ width: 1280, height: 1000 });
  await remove(page);
  await browser.close();
  process.exit(failed ? 1 : 0);
})().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
