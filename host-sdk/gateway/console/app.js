// The page: address, side list, views, and what the stream of events changes in them.

import { follow, get, RESTARTED, setToken, takeToken } from "./api.js";
import * as cloud from "./connections.js";
import { el, fill, note, refill, toast } from "./dom.js";
import { certificates, packages, plugins } from "./lists.js";

const SECTIONS = [
  ["plugins", "Plugins", plugins], ["packages", "Packages", packages], ["certificates", "Certificates", certificates],
];
const place = document.getElementById("content");
const documents = new Map(); // status documents by pid of the provisioning
let list = [];
let open = null; // the connection that is shown
let here = location.hash;

const current = () => decodeURIComponent(/^#\/connection\/(.+)$/.exec(location.hash)?.[1] ?? "");

function side() {
  refill(document.getElementById("connections"), list.length > 0
    ? list.map((connection) => cloud.entry(connection, open?.pid, documents))
    : el("li", { class: "muted side-title" }, "none"));
  refill(document.getElementById("sections"), SECTIONS.map(([name, title]) =>
    el("li", {}, el("a", { href: `#/${name}`, "aria-current": location.hash === `#/${name}` ? "page" : null },
      el("span", { class: "dot none" }), title))));
  const { identity } = [...documents.values()].find((document) => document.identity) ?? {};
  document.getElementById("device").textContent = identity
    ? [identity.model, identity.serial_number && `serial ${identity.serial_number}`, identity.mac_address].filter(Boolean).join(" · ")
    : "";
}

async function refresh() {
  list = await cloud.connections();
  const provisionings = list.map((connection) => connection.provisioningPid).filter(Boolean);
  await Promise.all(provisionings.filter((pid) => !documents.has(pid)).map(async (pid) => {
    documents.set(pid, await get(`/provisioning/v1/${encodeURIComponent(pid)}/status`).catch(() => ({})));
    open?.status(pid, documents.get(pid));
  }));
  const shown = open && list.find((connection) => connection.cloudEndpointPid === open.pid);
  if (shown) open.update(shown);
  side();
}

async function show() {
  here = location.hash;
  open = null;
  const section = SECTIONS.find(([name]) => here === `#/${name}`);
  try {
    if (section) {
      await section[2](place);
    } else {
      const wanted = current();
      const connection = wanted
        ? list.find((candidate) => candidate.cloudEndpointPid === wanted)
        : list[0];
      if (connection) open = await cloud.view(place, connection, documents, refresh);
      else if (wanted) fill(place, note("warn", el("p", {}, `There is no connection ${wanted}.`)));
      else fill(place, note("", el("p", {}, "This gateway has no cloud connection yet.")));
    }
  } catch (error) {
    fill(place, note("bad", el("p", {}, error.message)));
  }
  side();
}

function moved() {
  if (location.hash === here) return;
  if (location.hash.startsWith("#token=")) {
    takeToken();
    history.replaceState(null, "", here || location.pathname);
    return again ? again.signedIn() : start();
  }
  if (open?.dirty() && !confirm("Changes that were not applied are lost. Leave this page?")) {
    history.replaceState(null, "", here);
    return;
  }
  show().then(() => place.focus());
}

let due = null;
/** Several events in a row make one refresh. */
function soon() {
  due ??= setTimeout(() => {
    due = null;
    refresh().then(() => {
      const lost = open && !list.some((connection) => connection.cloudEndpointPid === open.pid);
      if (lost || (!open && place.childElementCount === 0)) show();
    }).catch(() => {});
  }, 150);
}

function heard(name, data) {
  if (name === "status") {
    documents.set(data.pid, data.document);
    open?.status(data.pid, data.document);
    const known = list.some((connection) => connection.provisioningPid === data.pid);
    if (known) side();
    else soon();
  } else if (name === "configuration") {
    Promise.resolve(open?.configuration(data.pid)).catch(() => {});
    soon();
  } else if (name === "connection" || name === "plugin") {
    soon();
  } else if (name === "package" && location.hash === "#/packages") {
    show();
  }
}

/** What is shown is as of the moment that the stream broke, and is dimmed until it is back. */
function live(on) {
  const mark = document.getElementById("live");
  const was = document.body.dataset.live;
  if (on === (was === "on") && was) return;
  document.body.dataset.live = mark.dataset.state = on ? "on" : "off";
  mark.textContent = on ? "live"
    : `no connection to the gateway${was ? `, as of ${new Date().toLocaleTimeString("en-GB")}` : ""}`;
  if (!on) return;
  documents.clear();
  soon();
  // What changed meanwhile was not heard.
  if (was) Promise.resolve(open?.resumed()).catch(() => {});
}

/** A form that asks for the token and gives it to `done`. */
function tokenForm(title, why, done) {
  const input = el("input", { id: "token", type: "password", autocomplete: "off" });
  const sheet = el("form", { class: "panel" },
    el("h1", {}, title),
    el("p", {}, why),
    el("p", { class: "muted" }, "On the gateway, ", el("code", {}, "gateway console --data DIR"), " prints a link that opens this page."),
    el("div", { class: "field" }, el("label", { class: "field-name", for: "token" }, "Token"), input),
    el("button", { type: "submit", class: "primary" }, "Open"));
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(input.value);
    done();
  });
  return { sheet, input };
}

function signIn(why) {
  const { sheet, input } = tokenForm("Open the console", why, start);
  fill(place, sheet);
  input.focus();
}

let again = null; // the request to sign in that stands above an open page
/** Asks for the new token above what is open, so that no change in a form is lost. */
function signInAgain() {
  return new Promise((done) => {
    const signedIn = () => {
      again.sheet.remove();
      again = null;
      done();
    };
    const { sheet, input } = tokenForm("Sign in again", RESTARTED, signedIn);
    again = { sheet, signedIn };
    sheet.classList.add("again");
    sheet.setAttribute("role", "alert");
    place.before(sheet);
    // Who is typing in a form goes on doing so.
    if (document.activeElement === document.body) input.focus();
  });
}

async function start() {
  try {
    await refresh();
  } catch (error) {
    if (error.status === 401) return signIn(RESTARTED);
    toast("bad", error.message);
  }
  await show();
  follow(heard, live, signInAgain);
}

window.addEventListener("hashchange", moved);
window.addEventListener("beforeunload", (event) => {
  if (open?.dirty()) event.preventDefault();
});
document.getElementById("new-connection").addEventListener("click", () => cloud.create(list, refresh));
setInterval(() => document.body.dataset.live === "on" && open?.tick(), 1000);

if (takeToken()) start();
else signIn("Whoever opens this page may configure the gateway, so it asks for a token.");
