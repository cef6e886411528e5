// Draws the document, and keeps the page to this server: no fonts, telemetry,
// assistant or client from outside, and "Test Request" sends to where the document is.
const reference = document.getElementById("reference");
const source = new URL(reference.dataset.document, location.href);
const server = new URL(".", source).href.replace(/\/$/, "");
const sandbox = source.pathname.endsWith("/openapi-sandbox.json")
  ? `, [of this sandbox](${source.href}), which this page shows. [Worlds, states and requests](${server}/sandbox) are on a page of their own`
  : "";

const welcome = `
Issues gift cards and delivers them. This page can send each request.

1. Open [Log in](#tag/token/POST/v2/token), press **Test Request**, fill in \`username\` and \`password\`, and press **Send**.
   Then press **Use this token** at the bottom of the page.
2. Open [Create a gift card](#tag/gift-cards/POST/v2/giftcards/programs/{programId}/cards) and press **Test Request**.
3. Fill in your \`programId\`, and your \`merchantId\` in the body. On a server that \`make run\` started both are in \`demo.json\` in its
   state directory, together with a user and a password. On another server its operator knows them (\`giftcards program list\`).
4. Press **Send**. The answer is a 201 with the card.

Documents: [as published](${server}/openapi.json), [complete](${server}/openapi-complete.json), [for SDK generators](${server}/openapi-sdk.json)${sandbox}.
`;

// The published names are its owner's and stay in the documents. On this page they
// would make people look for help in the wrong place.
function presented(document) {
  document.info = { title: "giftcards", version: document.info.version, description: welcome };
  const titles = {
    "/v2/giftcards/programs/{programId}/cards": { post: "Create a gift card" },
    "/v2/giftcards/programs/{programId}/cards/bulk": { post: "Issue many gift cards" },
    "/v2/giftcards/programs/{programId}/cards/bulk/{taskId}": { get: "Poll a task" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}": { get: "Look up a card" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/activate": { post: "Activate a card" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/redeem": { post: "Redeem an amount" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/reload": { post: "Reload a card" },
    "/v2/giftcards/programs/{programId}/cards/reload-by-number": { post: "Reload a card by its number" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/transactions/{transactionId}/refund": { post: "Refund a redemption" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/transfer": { post: "Transfer an amount to another card" },
    "/v2/giftcards/programs/{programId}/consolidate": { post: "Merge cards into one" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/suspend": { post: "Suspend a card" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/resume": { post: "Resume a card" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/void": { post: "Void a card" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/process-expired": { post: "Settle an expired card" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/transfer-ownership": { post: "Give a card to another person" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/resend-code": { post: "Send a new security code" },
    "/v2/giftcards/programs/{programId}/cards/{cardId}/schedule": { patch: "Move the delivery" },
    "/v2/giftcards/programs/{programId}/search": { get: "Search for cards" },
    "/v2/giftcards/programs/{programId}/balance-check": { post: "Check a balance" },
    "/v2/giftcards/programs/{programId}/reports/business": { get: "Report of sales" },
    "/v2/giftcards/programs/{programId}/reports/expiration-warnings": { get: "Report of cards that expire soon" },
    "/v2/giftcards/programs/{programId}/reports/escheatment": { get: "Report of dormant cards" },
    "/v2/giftcards/programs/cards": { get: "List cards" },
    "/v2/giftcards/customer/balance-check": { post: "Check a balance in any program" },
    "/v2/token": { post: "Log in", get: "Whose token is it?" },
    "/v2/token/logout": { post: "Log out" },
  };
  for (const [path, methods] of Object.entries(titles)) {
    for (const [method, title] of Object.entries(methods)) {
      document.paths[path][method].summary = title;
    }
  }
  return document;
}

// The token outlives a reload, and ends with the tab.
const kept = "giftcards-token";

function configuration(content, token) {
  return {
    content,
    servers: [{ url: server }],
    proxyUrl: "",
    telemetry: false,
    withDefaultFonts: false,
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    showDeveloperTools: "never",
    documentDownloadType: "none",
    authentication: { preferredSecurityScheme: "bearerAuth", securitySchemes: { bearerAuth: { token } } },
  };
}

// offer shows a button that has all requests sent with a token.
function offer(token, take) {
  const bar = document.getElementById("token");
  bar.querySelector("button").onclick = () => {
    sessionStorage.setItem(kept, token);
    take(token);
    bar.hidden = true;
  };
  bar.hidden = false;
}

async function draw() {
  const content = presented(await (await fetch(source)).json());
  const page = Scalar.createApiReference(reference, configuration(content, sessionStorage.getItem(kept) ?? ""));
  const ask = window.fetch;
  window.fetch = async (...request) => {
    const answer = await ask(...request);
    const { method } = request[0] instanceof Request ? request[0] : (request[1] ?? {});
    if (method?.toUpperCase() === "POST" && answer.url === server + "/v2/token" && answer.ok) {
      const { accessToken } = await answer.clone().json();
      if (accessToken) {
        offer(accessToken, (token) => page.updateConfiguration(configuration(content, token)));
      }
    }
    return answer;
  };
}

draw().catch((fault) => {
  reference.textContent = `The API's document could not be read from ${source.href}: ${fault.message}`;
});
