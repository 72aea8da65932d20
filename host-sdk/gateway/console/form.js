// The form of one component: its metatype rendered, its changes applied.
//
// Only what a person changed is sent, together with the revision that the form was made from;
// when the configuration has changed meanwhile, the gateway refuses and the person decides.

import { post, put, Refusal } from "./api.js";
import { el, fill, note, toast } from "./dom.js";
import { field } from "./fields.js";

const BASE = "/configuration/v2/configurableComponents/configurations";

export async function load(pid) {
  const answer = await post(`${BASE}/byPid`, { pids: [pid] });
  const found = answer.configs?.[0];
  if (!found) throw new Refusal(404, { message: `There is no component ${pid}.` });
  return found;
}

/**
 * Renders into `place`; `touched(dirty)` is told whenever there are changes or no more.
 * Gives {dirty(), outside(), problems(list)}: outside() says that the configuration changed
 * elsewhere, problems() what the component says of its parameters.
 */
export async function form(place, pid, touched) {
  let configuration = null;
  let fields = [];
  let busy = false;
  const banner = el("div", {});
  const rows = el("div", { class: "fields" });
  const apply = el("button", { type: "submit", class: "primary", disabled: true }, "Apply");
  const reset = el("button", { type: "button", disabled: true, onclick: () => show(configuration) }, "Reset");
  const count = el("span", { class: "muted" });
  const about = el("p", { class: "muted" });
  const node = el("form", { novalidate: true, autocomplete: "off" },
    about, banner, rows, el("div", { class: "apply" }, apply, reset, count));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!apply.disabled) send();
  });
  const changed = () => fields.filter((entry) => entry.changed());

  function edited() {
    const n = changed().length;
    apply.disabled = reset.disabled = n === 0 || busy;
    count.textContent = n === 0 ? "" : n === 1 ? "1 change not applied yet" : `${n} changes not applied yet`;
    touched(n > 0);
  }

  function show(found, keep = new Map()) {
    configuration = found;
    const properties = found.properties ?? {};
    const ads = found.definition?.ad ?? [];
    fields = ads.map((ad) => field(ad, properties[ad.id]?.value, edited));
    for (const entry of fields) {
      if (keep.has(entry.id)) entry.restore(keep.get(entry.id));
    }
    about.textContent = found.definition?.description ?? "";
    about.hidden = about.textContent === "";
    fill(rows, ads.length > 0
      ? fields.map((entry) => entry.node)
      : el("p", { class: "muted" }, "The component describes no parameters, or its plugin is not loaded."));
    fill(banner);
    edited();
  }

  async function send() {
    const ok = fields.map((entry) => entry.check());
    const bad = ok.indexOf(false);
    if (bad >= 0) return fields[bad].focus();
    const properties = {};
    for (const entry of changed()) {
      properties[entry.id] = { value: entry.read(), type: entry.ad.type };
    }
    busy = true;
    edited();
    try {
      await put(`${BASE}/_update`, {
        configs: [{ pid, properties, revision: configuration.revision }], takeSnapshot: true,
      });
      busy = false;
      show(await load(pid));
      toast("good", "Applied.");
    } catch (error) {
      busy = false;
      edited();
      // One that a provisioning is changing is nobody else's newer version.
      if (error.status === 409 && !error.body.by) await conflict();
      else refused(error);
    }
  }

  /** Puts each problem at its field; the rest above the form. */
  function refused(error) {
    const rest = [];
    let first = null;
    for (const entry of error.problems ?? []) {
      const at = fields.find((candidate) => candidate.id === entry.parameter);
      if (at) {
        at.fail(entry.message);
        first ??= at;
      } else {
        rest.push(entry);
      }
    }
    fill(banner, note("bad", el("p", {}, el("b", {}, "Nothing was applied. "), error.message),
      rest.length > 0 ? el("ul", {}, rest.map((p) => el("li", {}, `${p.parameter ?? ""} ${p.message}`))) : null));
    first?.focus();
  }

  /** Somebody else changed the configuration: shows what, and lets the person choose. */
  async function conflict() {
    const latest = await load(pid);
    const differs = (latest.definition?.ad ?? []).filter((ad) =>
      JSON.stringify(latest.properties?.[ad.id]?.value) !== JSON.stringify(configuration.properties?.[ad.id]?.value));
    const keep = new Map(changed().map((entry) => [entry.id, entry.text()]));
    const value = (ad) => (ad.type === "PASSWORD" ? "a new password" : JSON.stringify(latest.properties?.[ad.id]?.value ?? null));
    fill(banner, note("warn",
      el("h3", {}, "This configuration changed while the form was open"),
      el("p", {}, "Nothing of yours was applied, so that nothing newer is overwritten."),
      differs.length > 0
        ? el("ul", {}, differs.map((ad) => el("li", {}, el("code", {}, ad.id), " is now ", el("b", {}, value(ad)))))
        : null,
      el("div", { class: "actions" },
        el("button", { type: "button", class: "primary", onclick: () => show(latest) }, "Show the current values"),
        el("button", { type: "button", onclick: () => show(latest, keep) }, "Keep my changes on top of them"))));
    banner.scrollIntoView({ block: "nearest" });
  }

  show(await load(pid));
  fill(place, node);
  return {
    dirty: () => changed().length > 0,
    outside: async () => {
      if (busy) return;
      const latest = await load(pid);
      if (JSON.stringify(latest.properties) === JSON.stringify(configuration.properties)) {
        configuration.revision = latest.revision;
        return;
      }
      if (changed().length === 0) show(latest);
      else await conflict();
    },
    /** What the component says of its parameters; a field that is being edited is left alone. */
    problems(list) {
      for (const entry of fields.filter((candidate) => !candidate.changed())) {
        entry.fail(list.find((problem) => problem.parameter === entry.id)?.message ?? "");
      }
    },
  };
}
