// Shows the worlds, the states and the journal of the sandbox, and lets people make the first
// two. All texts from outside become text nodes, so none of them can be markup.
const root = new URL(document.body.dataset.root || ".", location.href);
const by = (id) => document.getElementById(id);

// make returns an element with properties and children.
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// ask returns the JSON of an answer. A refusal becomes an error with the sentence of the server.
async function ask(path, options = {}) {
  const answer = await fetch(new URL(path, root), { cache: "no-store", ...options });
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) {
    throw new Error(body.detail);
  }
  return body;
}

const send = (path, body) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function say(id, text, fault = false) {
  const place = by(id);
  place.classList.toggle("fault", fault);
  if (place.textContent !== text) {
    place.textContent = text;
  }
}

// act runs what a person has asked for, and says how it went.
async function act(id, button, does) {
  button.disabled = true;
  try {
    say(id, await does());
  } catch (fault) {
    say(id, fault.message, true);
  } finally {
    button.disabled = false;
  }
}

function show(values) {
  by("made").hidden = false;
  by("made-values").textContent = JSON.stringify(values, null, 2);
}

by("copy").onclick = (event) => act("states-said", event.target, async () => {
  await navigator.clipboard.writeText(by("made-values").textContent);
  return "Copied.";
});

// --- worlds

let worlds = [];
const shownWorlds = 100; // more make the page slow and help nobody

const nameOf = (merchant) => worlds.find((world) => world.merchantId === merchant)?.name ?? merchant;
const strangers = new Set(); // merchants that are of no world

// learn reads the worlds again if one of the merchants is not known. A test has made its world.
async function learn(merchants) {
  const isNew = (merchant) => merchant !== null && nameOf(merchant) === merchant && !strangers.has(merchant);
  if (merchants.some(isNew)) {
    await listWorlds();
    merchants.filter(isNew).forEach((merchant) => strangers.add(merchant));
  }
}

function worldItem(world) {
  const button = (text, does) => {
    const element = make("button", { type: "button" }, text);
    element.setAttribute("aria-label", `${text} ${world.name}`);
    element.onclick = () => act("worlds-said", element, does);
    return element;
  };
  return make("li", {},
    make("b", {}, world.name), make("span", { className: "quiet" }, new Date(world.createdAt).toLocaleString()), make("br"),
    button("Show", async () => {
      show(await ask(`worlds/${world.name}`));
      return `The tokens and ids of ${world.name} are below the states.`;
    }),
    button("Requests", async () => {
      by("by-world").value = world.name;
      refilter();
      by("requests").focus();
      return "";
    }),
    button("Delete", async () => {
      if (!confirm(`Delete the world ${world.name} with everything in it?`)) {
        return "";
      }
      await ask(`worlds/${world.name}`, { method: "DELETE" });
      await listWorlds();
      return `${world.name} is deleted.`;
    }));
}

async function listWorlds() {
  ({ worlds } = await ask("worlds"));
  worlds.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  const most = worlds.slice(0, shownWorlds);
  const rest = worlds.length - most.length;
  by("worlds").replaceChildren(...most.map(worldItem), ...(rest > 0 ? [make("li", { className: "quiet" }, `and ${rest} older ones`)] : []));
  by("world-names").replaceChildren(...most.map((world) => make("option", { value: world.name })));
  const chosen = by("by-world").value;
  by("by-world").replaceChildren(make("option", { value: "" }, "all"), ...most.map((world) => make("option", { value: world.name }, world.name)));
  by("by-world").value = most.some((world) => world.name === chosen) ? chosen : "";
  // A world that is gone must not stay chosen.
  if (by("by-world").value !== chosen) {
    refilter();
  }
}

by("make-world").onsubmit = (event) => {
  event.preventDefault();
  act("worlds-said", event.submitter, async () => {
    const name = by("world-name").value.trim();
    const world = await send("worlds", name ? { name } : {});
    show(world);
    by("world-name").value = "";
    by("state-world").value = world.name;
    await listWorlds();
    return `${world.name} is made. Its tokens and ids are below the states.`;
  });
};

// --- states

let states = [];

async function listStates() {
  ({ states } = await ask("states"));
  by("state").replaceChildren(...states.map((state, i) => make("option", { value: i }, state.state)));
  describeState();
}

function describeState() {
  const state = states[by("state").value];
  by("state-about").textContent = state.description;
  by("state-params").replaceChildren(...state.params.filter(({ name }) => name !== "world").flatMap((param) => {
    const id = `param-${param.name}`;
    return [
      make("label", { htmlFor: id }, param.name),
      make("input", { id, name: param.name, autocomplete: "off", placeholder: param.default ?? "", title: param.description ?? "" }),
    ];
  }));
}

by("state").onchange = describeState;
by("make-state").onsubmit = (event) => {
  event.preventDefault();
  act("states-said", event.submitter, async () => {
    const params = {};
    for (const input of by("state-params").querySelectorAll("input")) {
      if (input.value.trim()) {
        params[input.name] = input.value.trim();
      }
    }
    const world = by("state-world").value.trim();
    if (world) {
      params.world = world;
    }
    const { state } = states[by("state").value];
    show(await send("states", { state, params, action: "setup" }));
    await listWorlds();
    return `Made: ${state}.`;
  });
};

// --- requests

const mostShown = 200;
const shown = new Map(); // the items of the list by the ids of their requests
let running = false;

function filter() {
  const query = new URLSearchParams();
  const add = (name, id) => by(id).value.trim() && query.set(name, by(id).value.trim());
  add("world", "by-world");
  add("operation", "by-operation");
  add("status", "by-status");
  add("idempotencyKey", "by-key");
  return query;
}

function messagePart(title, message, line) {
  const headers = make("dl");
  for (const [name, values] of Object.entries(message.headers)) {
    for (const value of values) {
      headers.append(make("dt", {}, name), make("dd", {}, value));
    }
  }
  const body = message.body ?? message.bodyBase64;
  const text = make("pre", { tabIndex: 0 }, pretty(body ?? ""));
  text.setAttribute("aria-label", `${title}, body`);
  const about = [`${message.bodyBytes} bytes`];
  if (message.bodyCut) {
    about.push("only the beginning is kept");
  }
  if (message.bodyBase64) {
    about.push("shown in base64");
  }
  return [make("h3", {}, title), make("p", { className: "quiet" }, `${line} · ${about.join(", ")}`), headers, body ? text : null];
}

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body; // no JSON, or cut
  }
}

const headerOf = (message, name) => message.headers[name]?.[0];

function marks(request) {
  const all = [];
  if (request.replayed) {
    all.push("replayed");
  }
  for (const name of ["Prefer", "Sandbox-Now", "Sandbox-Fault", "Sandbox-Task"]) {
    const value = headerOf(request.request, name);
    if (value) {
      all.push(`${name}: ${value}`);
    }
  }
  if (request.answer && request.answer.arrived !== "whole") {
    all.push(request.answer.arrived === "part" ? "a part of the answer left" : "no answer left");
  }
  if (request.idempotencyKey) {
    all.push(`key ${request.idempotencyKey}`);
  }
  if (request.merchantId) {
    all.push(nameOf(request.merchantId));
  }
  return make("span", { className: "marks" }, ...all.map((text) => make("span", {}, text)));
}

// releaseButton lets the stuck task of a bulk request go on.
function releaseButton(request) {
  if (headerOf(request.request, "Sandbox-Task") !== "stuck" || request.answer?.status !== 202) {
    return null;
  }
  const button = make("button", { type: "button" }, "Let the task go on");
  button.onclick = () => act("requests-said", button, async () => {
    const { taskId } = await send(`tasks/${JSON.parse(request.answer.body).taskId}/release`, {});
    return `Task ${taskId} goes on.`;
  });
  return button;
}

function summaryOf(request) {
  const { answer } = request;
  const kind = answer === null ? "late" : answer.status < 400 && answer.arrived === "whole" ? "good" : "bad";
  const time = request.durationMs === null ? "under way" : `${request.durationMs.toFixed(request.durationMs < 10 ? 1 : 0)} ms`;
  const [path] = request.path.split("?");
  return [
    make("span", { className: `status ${kind}` }, answer === null ? "…" : String(answer.status)),
    make("span", {}, request.method),
    make("span", { className: "what" }, make("b", {}, request.operation ?? "no operation"), make("span", {}, path)),
    make("span", { className: "when" }, `${new Date(request.at).toLocaleTimeString()} · ${time}`),
    marks(request),
    request.broke.length ? make("span", { className: "broke" }, request.broke.join(" · ")) : null,
  ];
}

function draw(request) {
  let item = shown.get(request.id);
  if (!item) {
    item = make("li", {}, make("details", {}, make("summary"), make("div", { className: "inside" })));
    shown.set(request.id, item);
  }
  item.underWay = request.durationMs === null;
  item.querySelector("summary").replaceChildren(...summaryOf(request).filter((part) => part !== null));
  const { answer } = request;
  item.querySelector(".inside").replaceChildren(...[
    releaseButton(request),
    ...messagePart("Request", request.request, `${request.method} ${request.path}`),
    ...(answer ? messagePart("Answer", answer, `${answer.status} · request id ${request.requestId ?? "none"}`) : []),
  ].filter((part) => part !== null));
  return item;
}

// refresh asks for what is new, and for what was under way. Each look begins after the one
// before it has ended.
async function refresh() {
  const asked = filter().toString();
  const underWay = [...shown].filter(([, item]) => item.underWay).map(([id]) => id);
  const newest = Math.max(0, ...shown.keys());
  const query = filter();
  query.set("after", Math.min(newest, ...underWay.map((id) => id - 1)));
  query.set("limit", mostShown);
  const { requests } = await ask(`requests?${query}`);
  if (asked !== filter().toString()) {
    return; // the filter has changed meanwhile
  }
  await learn(requests.map((request) => request.merchantId));
  const list = by("list");
  for (const request of requests.reverse()) { // the oldest first, so that the newest ends on top
    const isNew = !shown.has(request.id);
    const item = draw(request);
    if (isNew) {
      list.prepend(item);
    }
  }
  for (const id of [...shown.keys()].sort((a, b) => b - a).slice(mostShown)) {
    shown.get(id).remove();
    shown.delete(id);
  }
  by("none").hidden = shown.size > 0;
  if (by("requests-said").classList.contains("fault")) {
    say("requests-said", "");
  }
}

function refilter() {
  shown.clear();
  by("list").replaceChildren();
  const query = filter().toString();
  const address = new URL("requests" + (query && `?${query}`), root);
  by("address").href = address;
  by("address").textContent = `GET ${address.pathname}${address.search}`;
  look();
}

async function look() {
  if (running) {
    return;
  }
  running = true;
  let asked;
  try {
    do { // once more, if the filter has changed meanwhile
      asked = filter().toString();
      await refresh();
    } while (asked !== filter().toString());
  } catch (fault) {
    say("requests-said", fault.message, true);
  } finally {
    running = false;
  }
}

by("pause").onclick = (event) => {
  const paused = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", paused);
};
by("filter").onsubmit = (event) => event.preventDefault();
by("filter").onchange = refilter;

async function listOperations() {
  const document = await ask("../openapi-complete.json");
  const names = new Set();
  for (const methods of Object.values(document.paths)) {
    for (const { operationId } of Object.values(methods)) {
      names.add(operationId.split("_v2_")[0]);
    }
  }
  for (const probe of ["healthz", "readyz"]) { // the journal does not keep them
    names.delete(probe);
  }
  by("by-operation").append(...[...names].sort().map((name) => make("option", { value: name }, name)));
}

for (const [place, list] of [["worlds-said", listWorlds], ["states-said", listStates], ["requests-said", listOperations]]) {
  list().catch((fault) => say(place, fault.message, true));
}
refilter();
setInterval(() => {
  if (by("pause").getAttribute("aria-pressed") !== "true" && !document.hidden) {
    look();
  }
}, 1000);
