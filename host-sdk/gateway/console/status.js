// The live status of one provisioning: where it stands, how long still, what is wrong and what to do.

import { get, now, post } from "./api.js";
import { ask, badge, doing, duration, el, facts, fill, moment, note, refill, span, toast } from "./dom.js";
import { load } from "./form.js";

const STATES = {
  idle: ["", "Idle"],
  provisioned: ["good", "Provisioned"],
  preflight: ["busy", "Checking the gateway"],
  waiting: ["warn", "Waiting"],
  connecting: ["busy", "Connecting to the provision broker"],
  receiving: ["busy", "Receiving"],
  applying: ["busy", "Applying"],
  proving: ["busy", "Proving the new account"],
  committing: ["busy", "Committing"],
  "rolling-back": ["warn", "Rolling back"],
  "gave-up": ["bad", "Gave up"],
  refused: ["bad", "Stopped until something is changed here"],
  invalid: ["bad", "Stopped: parameters do not hold"],
  recovering: ["busy", "Starting: reading the journal"],
  inactive: ["", "Not active"],
  failed: ["bad", "Stopped by a defect"],
};
const BUSY = new Set(["recovering", "preflight", "connecting", "receiving", "applying", "proving", "committing", "rolling-back"]);
const MARKS = { done: "✓", failed: "!", running: "", pending: "", skipped: "–" };
// The mistake may be on either side, whatever the class is: what counts is that both agree.
const EITHER = new Set(["broker.bad-credentials", "broker.not-authorized", "activation-key.invalid"]);
const CLASSES = {
  device: "To be put right on this gateway.",
  cloud: "To be put right in the cloud.",
  wait: "Passes by itself; the gateway keeps trying.",
};

/** Who mends `error`; nothing where the class is not known. */
const whoMends = (error) => (EITHER.has(error.platform?.code) || EITHER.has(error.code)
  ? "To be put right here or in the cloud: compare both."
  : CLASSES[error.class]);

/** Tone and words of a status document's state. */
export const describeState = ({ state, warnings }) =>
  (warnings ?? []).some((warning) => warning.code === "provisioned-unrecorded")
    ? ["warn", "Provisioned by its parameter, but without a record of it"]
    : STATES[state] ?? ["", state ?? "Unknown"];

/** Makes the view of `pid`. Gives {node, show(document), tick()}; tick() once a second. */
export function status(pid) {
  let document = {};
  const path = `/provisioning/v1/${encodeURIComponent(pid)}`;
  // What counts down is beside what is read aloud, and nothing is read that is as it was.
  const standing = el("span", { role: "status" });
  const left = el("span", { class: "muted" });
  const line = el("p", { class: "status-line" }, standing, left);
  const steps = el("ol", { class: "steps", "aria-label": "Steps of the provisioning" });
  const troubles = el("div", { class: "trouble" });
  const about = el("div", {});
  const checks = el("div", {});
  const buttons = el("div", { class: "actions" });
  const node = el("section", { class: "panel status", "aria-label": "Provisioning status" },
    el("div", { class: "head" }, el("div", { class: "grow" }, el("h2", {}, "Provisioning"), line), buttons),
    steps, troubles, checks,
    el("details", { class: "sheet" }, el("summary", {}, "Identity and details"), about));

  async function act(action, done) {
    await post(`${path}/actions`, { action });
    toast("good", done);
  }
  const retry = el("button", { type: "button", onclick: doing(() => act("retry-now", "Trying again.")) }, "Retry now");
  const cancel = el("button", { type: "button", class: "danger", onclick: doing(() => act("cancel", "Cancelled.")) }, "Cancel");
  const again = el("button", { type: "button", onclick: doing(() => confirmAgain(pid, act)) }, "Provision again");
  const check = el("button", { type: "button", onclick: doing(preflight) }, "Check now");

  fill(buttons, check, retry, cancel, again);

  async function preflight() {
    const answer = await get(`${path}/preflight`);
    const list = Array.isArray(answer) ? answer : answer.checks ?? [];
    const failed = list.filter((entry) => !entry.passed).length;
    fill(checks, note(failed > 0 ? "bad" : "good",
      el("h3", {}, failed > 0 ? `${failed} of ${list.length} local checks failed` : `All ${list.length} local checks passed`),
      el("ul", {}, list.map((entry) => el("li", {}, entry.passed ? "✓ " : "✗ ",
        el("b", {}, entry.name), entry.detail ? `: ${entry.detail}` : "", entry.code ? ` (${entry.code})` : ""))),
      el("div", {}, el("button", { type: "button", onclick: () => fill(checks) }, "Close"))));
  }

  function show(latest) {
    document = latest ?? {};
    const [tone, words] = describeState(document);
    refill(standing, badge(tone, words), " ", attempts(document));
    fill(steps, (document.steps ?? []).map(step));
    steps.hidden = (document.steps ?? []).length === 0;
    refill(troubles, trouble(document));
    refill(about, details(document));
    const busy = BUSY.has(document.state);
    // A failing local check is repeated after a pause, too.
    const waiting = document.state === "waiting" || Boolean(document.next_attempt_at);
    // They stay where they are: one that is put in anew has lost the keyboard.
    const pressed = node.ownerDocument.activeElement;
    retry.hidden = !waiting;
    cancel.hidden = !(busy || waiting);
    again.hidden = !(document.provisioned || document.state === "gave-up");
    if (pressed?.hidden && buttons.contains(pressed)) check.focus();
    tick();
  }

  function tick() {
    const next = Date.parse(document.next_attempt_at ?? "");
    const deadline = Date.parse(document.deadline_at ?? "");
    const coming = document.state === "waiting" ? "attempt" : "check";
    left.textContent = !Number.isNaN(next) && next > now()
      ? ` next ${coming} in ${span(next - now())}`
      : !Number.isNaN(deadline) && BUSY.has(document.state) && deadline > now()
        ? ` ${span(deadline - now())} left for this attempt`
        : document.since ? ` since ${moment(document.since)}` : "";
    for (const time of steps.querySelectorAll("[data-since]")) {
      time.textContent = span(now() - Date.parse(time.dataset.since));
    }
  }

  return { node, show, tick };
}

function attempts({ attempt, max_attempts: most }) {
  if (!attempt) return "";
  return el("b", {}, most > 0 ? `attempt ${attempt} of ${most} ` : `attempt ${attempt} `);
}

function step({ name, state, started, ended, detail }) {
  const took = started && ended ? duration(Date.parse(ended) - Date.parse(started)) : "";
  const word = { done: "done", failed: "failed", running: "running", skipped: "not needed" }[state] ?? "not begun";
  return el("li", { data: { state }, title: detail ?? null, "aria-label": `${name}: ${word}${detail ? `, ${detail}` : ""}` },
    el("span", { class: "mark", "aria-hidden": "true" }, MARKS[state] ?? ""), name,
    state === "running" && started
      ? el("span", { class: "time", data: { since: started } })
      : el("span", { class: "time" }, took || "\u00A0"));
}

function trouble(document) {
  const { error } = document;
  // What the message says already, and what is listed below as a parameter, is not said twice.
  const causes = (error?.causes ?? []).filter((cause) => !(error.message ?? "").includes(cause)
    && !(document.problems ?? []).some((problem) => problem.message === cause));
  const problems = (document.problems ?? []).filter((problem) => problem.message !== error?.message);
  const warnings = document.warnings ?? [];
  const notes = [];
  if (error) {
    notes.push(note(error.class === "wait" ? "warn" : "bad",
      el("p", {}, el("span", { class: "code" }, error.code), error.at ? el("span", { class: "muted" }, `  ${moment(error.at)}`) : null),
      el("p", {}, error.message),
      causes.length > 0
        ? el("ul", { class: "causes" }, causes.map((cause) => el("li", {}, cause)))
        : null,
      error.remedy ? el("p", { class: "remedy" }, error.remedy) : null,
      whoMends(error) ? el("p", { class: "muted" }, whoMends(error)) : null));
  }
  if (problems.length > 0) {
    notes.push(note("bad", el("h3", {}, "Parameters that do not hold"), el("ul", {}, problems.map((entry) =>
      el("li", {}, el("code", {}, entry.parameter), ": ", entry.message)))));
  }
  if (warnings.length > 0) {
    notes.push(note("warn", el("ul", {}, warnings.map((entry) =>
      el("li", {}, entry.message, " ", el("code", { class: "muted" }, entry.code))))));
  }
  return notes;
}

function details(document) {
  const identity = document.identity ?? {};
  const target = document.target ?? {};
  const trust = document.trust ?? {};
  const mono = (text) => (text ? el("span", { class: "mono" }, text) : "");
  return facts([
    ["Client-id", mono(identity.client_id)],
    ["User name", mono(identity.username)],
    ["Serial number", mono(identity.serial_number)],
    ["MAC address", mono(identity.mac_address)],
    ["Model", identity.model],
    ["Provision broker", mono(document.broker)],
    ["Account", mono(document.account)],
    ["Target account", mono(target.account)],
    ["Target broker", mono(target.broker)],
    ["Transaction", mono(document.transaction)],
    ["Bytes sent / received", document.bytes ? `${document.bytes.sent ?? 0} / ${document.bytes.received ?? 0}` : ""],
    ["Root of the received chain", trust.root_verified === true ? "trusted by this gateway"
      : trust.root_verified === false ? "not verified (ca-authentication is off)" : ""],
    ["Signers", (trust.signers ?? []).length > 0 ? trust.signers.map((signer) =>
      el("div", { class: "mono" }, typeof signer === "string" ? signer : signer.fingerprint ?? "")) : ""],
  ]);
}

/** Asks once more, and says what was erased after the last success and is needed now. */
async function confirmAgain(pid, act) {
  const { properties } = await load(pid);
  const erased = ["password", "activation-key"].filter((name) => !properties?.[name]?.value);
  ask("Provision this gateway again?", [
    el("p", {}, "It connects to the provision broker once more. Until the new account is proved, the present one stays as it is."),
    erased.includes("password") ? note("warn",
      el("p", {}, erased.length > 1 ? "password and activation-key were" : "The password was",
        " erased after the last success. Set what the provision request has first, in the form below this dialog, or with"),
      el("p", {}, el("code", {}, `gateway config set --data DIR ${pid} ${erased.join(" ")}`))) : null,
  ], "Provision again", () => act("reprovision", "Provisioning again."));
}
