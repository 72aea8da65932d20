// Cloud connections: the list at the side, and the view of one with its status and its stack.

import { del, get, post } from "./api.js";
import { ask, badge, doing, el, facts, fill, note, refill, shortName, toast } from "./dom.js";
import { form } from "./form.js";
import { describeState, status } from "./status.js";

const BASE = "/cloudconnection/v1";
const FACTORY = "org.eclipse.kura.cloud.CloudService";
const PATTERN = /^org\.eclipse\.kura\.cloud\.CloudService-[a-zA-Z0-9]+$/;

export async function connections() {
  return (await get(`${BASE}/instances`)).cloudEndpointInstances ?? [];
}

const STATES = {
  CONNECTED: ["good", "Connected"],
  CONNECTING: ["busy", "Connecting"],
  DISCONNECTED: ["", "Disconnected"],
  UNREGISTERED: ["", "Not running"],
};
const state = (connection) => STATES[connection.state] ?? ["", connection.state];

export const address = (pid) => `#/connection/${encodeURIComponent(pid)}`;

/** One entry of the list. `documents` are the status documents by pid. */
export function entry(connection, current, documents) {
  const pid = connection.cloudEndpointPid;
  const document = documents.get(connection.provisioningPid);
  const [tone, words] = state(connection);
  const provisioning = document ? `, ${describeState(document)[1].toLowerCase()}` : "";
  return el("li", {}, el("a", { href: address(pid), title: pid, "aria-current": pid === current ? "page" : null },
    el("span", { class: "dot", data: { tone } }), shortName(pid),
    el("small", {}, words, provisioning)));
}

/**
 * The view of one connection in `place`. Gives {dirty(), update(connection), status(pid, document),
 * configuration(pid), resumed(), tick()}.
 */
export async function view(place, connection, documents, refresh) {
  const pid = connection.cloudEndpointPid;
  const head = el("section", { class: "panel" });
  const provisioning = connection.provisioningPid ? status(connection.provisioningPid) : null;
  const stack = el("section", { class: "panel", "aria-label": "Configuration" });
  fill(place, head, provisioning?.node ?? missing(), stack);
  showHead(head, connection, refresh);
  provisioning?.show(documents.get(connection.provisioningPid));
  const forms = await tabs(stack, connection.stackComponentPids ?? [], connection.provisioningPid);
  forms.problems(connection.provisioningPid, documents.get(connection.provisioningPid)?.problems ?? []);
  return {
    pid,
    dirty: () => forms.dirty(),
    update: (latest) => showHead(head, latest, refresh),
    status(of, document) {
      if (of !== connection.provisioningPid) return;
      provisioning.show(document);
      forms.problems(of, document.problems ?? []);
    },
    configuration: (of) => forms.outside(of),
    resumed: () => forms.allOutside(),
    tick: () => provisioning?.tick(),
  };
}

const missing = () => note("warn",
  el("h3", {}, "No ProvisioningService"),
  el("p", {}, "Copy ", el("code", {}, "libprovisioning_service.so"), " into the plugin folder; it is picked up while the gateway runs. ",
    el("a", { href: "#/plugins" }, "Plugins")));

function showHead(head, connection, refresh) {
  const pid = connection.cloudEndpointPid;
  const [tone, words] = state(connection);
  const up = connection.state === "CONNECTED" || connection.state === "CONNECTING";
  const toggle = (action) => doing(async () => {
    await post(`${BASE}/cloudEndpoint/${action}`, { cloudEndpointPid: pid });
    await refresh();
  });
  refill(head,
    el("div", { class: "head" },
      el("div", { class: "grow" }, el("h1", {}, shortName(pid)), el("p", { class: "muted mono" }, pid)),
      badge(tone, words),
      el("div", { class: "actions" },
        up ? el("button", { type: "button", onclick: toggle("disconnect") }, "Disconnect")
          : el("button", { type: "button", class: "primary", onclick: toggle("connect") }, "Connect"),
        PATTERN.test(pid) ? el("button", { type: "button", class: "danger", onclick: () => confirmDelete(pid, refresh) }, "Delete") : null)),
    el("div", { class: "summary" }, facts([
      ["Account", connection.account],
      ["Client-id", connection.clientId],
      ["Broker", connection.broker],
      ["Control messages", controlInWords(connection.controlMessages)],
    ])),
    connection.lastError ? el("div", { class: "summary" }, note(up ? "warn" : "", el("p", {}, connection.lastError))) : null);
}

/** How many control messages were obeyed, and which were refused for what; empty where none came. */
function controlInWords(control) {
  const refused = Object.entries(control?.refused ?? {});
  const parts = [];
  if (control?.accepted || refused.length > 0) parts.push(`${control.accepted} accepted`);
  if (control?.repeated) parts.push(`${control.repeated} repeated`);
  if (refused.length > 0) parts.push(`refused: ${refused.map(([reason, n]) => `${reason} ${n}`).join(", ")}`);
  return parts.join(", ");
}

/** Tabs by the titles and in the order of Kura; each form is made when its tab is first opened. */
async function tabs(place, pids, preferred) {
  const sorted = [...pids].sort((a, b) => shortName(a).localeCompare(shortName(b)));
  const made = new Map();
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": "Components of the connection" });
  const panel = el("div", { role: "tabpanel", id: "stack-panel" });
  const buttons = new Map(sorted.map((pid) => [pid, el("button", {
    type: "button", role: "tab", title: pid, "aria-controls": "stack-panel", onclick: () => open(pid),
  }, shortName(pid))]));
  fill(list, [...buttons.values()]);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = sorted.findIndex((pid) => buttons.get(pid) === document.activeElement);
    const next = sorted[(at + step + sorted.length) % sorted.length];
    buttons.get(next).focus();
    open(next);
  });
  fill(place, list, panel);

  async function open(pid) {
    for (const [of, button] of buttons) {
      button.setAttribute("aria-selected", String(of === pid));
      button.tabIndex = of === pid ? 0 : -1;
    }
    panel.setAttribute("aria-label", shortName(pid));
    try {
      if (!made.has(pid)) {
        const home = el("div", {});
        const dirt = (dirty) => buttons.get(pid).classList.toggle("dirty", dirty);
        made.set(pid, { home, form: form(home, pid, dirt) });
      }
      fill(panel, made.get(pid).home);
      made.get(pid).ready = await made.get(pid).form;
    } catch (error) {
      made.delete(pid);
      fill(panel, note("bad", el("p", {}, error.message)));
    }
  }

  const first = sorted.includes(preferred) ? preferred : sorted[0];
  if (first) await open(first);
  return {
    dirty: () => [...made.values()].some((entry) => entry.ready?.dirty()),
    outside: (pid) => made.get(pid)?.ready?.outside(),
    allOutside: () => Promise.all([...made.values()].map((entry) => entry.ready?.outside())),
    problems: (pid, list) => made.get(pid)?.ready?.problems(list),
  };
}

function confirmDelete(pid, refresh) {
  ask("Delete this connection?",
    el("p", {}, `${pid} and the components of its stack, their configurations included, are removed.`),
    "Delete", async () => {
      await del(`${BASE}/cloudEndpoint`, { cloudConnectionFactoryPid: FACTORY, cloudEndpointPid: pid });
      location.hash = "#/";
      await refresh();
    });
}

/** Asks for the name of a new connection and creates it. */
export function create(existing, refresh) {
  const taken = new Set(existing.map((connection) => connection.cloudEndpointPid));
  let n = 2;
  while (taken.has(`${FACTORY}-${n}`)) n += 1;
  const input = el("input", { id: "new-pid", value: `${FACTORY}-${n}`, spellcheck: "false", autocomplete: "off" });
  ask("New cloud connection", [
    el("label", { for: "new-pid" }, "Name"), input,
    el("p", { class: "muted" }, "CloudService, DataService, MqttDataTransport and ProvisioningService of the same suffix are created together."),
  ], "Create", async () => {
    const pid = input.value.trim();
    if (!PATTERN.test(pid)) throw new Error(`The name has to be ${FACTORY}-SUFFIX, the suffix of letters and digits.`);
    await post(`${BASE}/cloudEndpoint`, { cloudConnectionFactoryPid: FACTORY, cloudEndpointPid: pid });
    await refresh();
    location.hash = address(pid);
    toast("good", `${shortName(pid)} created.`);
  });
}
