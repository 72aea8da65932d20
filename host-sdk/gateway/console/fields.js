// One attribute of a metatype as a field of the form: label, control, help, problem.

import { el, unique } from "./dom.js";
import { isMany, isNumber, isReadOnly, isWhole, limits, problem, value } from "./validate.js";

// Kura's web console shows this word in a password box; left as it is, the password stays.
const PLACEHOLDER = "Placeholder";

/**
 * Makes the field of `ad`, showing `current` (the REST value, undefined where unset).
 * Gives {id, node, changed(), check(), read(), fail(text), restore(text), text()}.
 */
export function field(ad, current, edited) {
  const id = unique("f");
  const fixed = isReadOnly(ad);
  const [help, area] = describe(ad.description ?? "");
  const control = fixed ? readOnly(ad, id, current)
    : (ad.option ?? []).length > 0 ? select(ad, id, current)
    : ad.type === "BOOLEAN" ? choice(ad, id, current)
    : ad.type === "PASSWORD" ? password(ad, id, current)
    : isMany(ad) ? boxes(ad, id, current)
    : box(ad, id, current, area);
  const wrong = el("div", { class: "problem", id: `${id}-problem` });
  const grouped = control.grouped === true;
  const name = [
    ad.name || ad.id,
    ad.isRequired && !fixed ? el("span", { class: "required", title: "required" }, " *") : null,
    el("span", { class: "field-id" }, ad.id),
  ];
  const hint = limits(ad);
  const label = grouped
    ? el("div", { class: "field-name", id: `${id}-name` }, name)
    : el("label", { class: "field-name", for: id }, name);
  const node = el("div", { class: "field", data: { id: ad.id } }, label,
    el("div", { class: "field-body", role: grouped ? "group" : null, "aria-labelledby": grouped ? `${id}-name` : null },
      control.node,
      wrong,
      help === "" ? null : el("div", { class: "help", id: `${id}-help` }, help),
      hint === "" ? null : el("div", { class: "limits" }, `Allowed: ${hint}`)));
  for (const input of control.node.matches("input,select,textarea") ? [control.node] : control.node.querySelectorAll("input,select,textarea")) {
    input.setAttribute("aria-describedby", `${id}-problem ${id}-help`);
  }
  const before = control.text();
  const self = {
    id: ad.id,
    ad,
    node,
    fixed,
    text: control.text,
    changed: () => !fixed && JSON.stringify(control.text()) !== JSON.stringify(before),
    read: control.read,
    restore(text) {
      if (fixed) return;
      control.restore(text);
      self.refresh();
    },
    check() {
      const text = self.changed() ? control.problem() : "";
      self.fail(text);
      return text === "";
    },
    fail(text) {
      wrong.textContent = text;
      node.classList.toggle("invalid", text !== "");
      for (const input of node.querySelectorAll("input,select,textarea")) {
        input.setAttribute("aria-invalid", text !== "" ? "true" : "false");
      }
    },
    refresh: () => node.classList.toggle("changed", self.changed()),
    focus: () => node.querySelector("input,select,textarea")?.focus(),
  };
  if (!fixed) {
    const heard = () => {
      self.refresh();
      edited();
    };
    node.addEventListener("input", heard);
    node.addEventListener("change", () => {
      self.check();
      heard();
    });
  }
  return self;
}

/** The help text, and whether the description asks for a text area ("…|TextArea"). */
function describe(description) {
  const at = description.lastIndexOf("|");
  if (at >= 0 && description.slice(at + 1).trim().toLowerCase() === "textarea") {
    return [description.slice(0, at), true];
  }
  return [description, description.includes("\u200B".repeat(5))];
}

const shown = (current) => (current === undefined || current === null ? "" : String(current));

function readOnly(ad, id, current) {
  const text = current === undefined && ad.type === "BOOLEAN" ? "false" : shown(current);
  const node = el("input", { id, type: "text", readonly: true, value: text, size: Math.min(Math.max(text.length, 6), 60) });
  return {
    node: el("span", { class: "fixed" }, node, el("span", { class: "muted" }, "set by the component, read-only")),
    text: () => text,
  };
}

function single(ad, node) {
  return {
    node,
    text: () => node.value,
    read: () => value(ad, node.value),
    restore: (text) => { node.value = text; },
    problem: () => problem(ad, node.value),
  };
}

function box(ad, id, current, area) {
  const mode = !isNumber(ad.type) ? null : isWhole(ad.type) ? "numeric" : "decimal";
  const attributes = { id, value: shown(current), autocomplete: "off", spellcheck: "false", inputmode: mode };
  if (ad.defaultValue !== undefined && ad.defaultValue !== null) attributes.placeholder = ad.defaultValue;
  return single(ad, area
    ? el("textarea", { ...attributes, rows: 10 })
    : el("input", { ...attributes, type: "text" }));
}

function select(ad, id, current) {
  const natural = new Intl.Collator(undefined, { numeric: true });
  const options = [...ad.option].sort((a, b) => natural.compare(a.label ?? a.value, b.label ?? b.value));
  const now = shown(current);
  const known = options.some((option) => option.value === now);
  const node = el("select", { id },
    known ? null : el("option", { value: now }, now === "" ? "(not set)" : `${now} (not among the options)`),
    options.map((option) => el("option", { value: option.value }, option.label ?? option.value)));
  node.value = now;
  return single(ad, node);
}

/** Two radio buttons, as in Kura; unset shows as false. */
function choice(ad, id, current) {
  const input = (text) => el("input", { type: "radio", name: id, value: text, checked: String(current === true) === text });
  const yes = input("true");
  const no = input("false");
  const node = el("div", { class: "choices" }, el("label", {}, yes, "true"), el("label", {}, no, "false"));
  return {
    node,
    grouped: true,
    text: () => String(yes.checked),
    read: () => yes.checked,
    restore: (text) => { (text === "true" ? yes : no).checked = true; },
    problem: () => "",
  };
}

function password(ad, id, current) {
  const set = current !== undefined && current !== null && current !== "";
  const node = el("input", { id, type: "password", value: set ? PLACEHOLDER : "", autocomplete: "new-password" });
  node.addEventListener("focus", () => node.select());
  return single(ad, node);
}

/** min(N, 10) boxes, as in Kura. */
function boxes(ad, id, current) {
  const list = Array.isArray(current) ? current : current === undefined ? [] : [current];
  const count = Math.max(Math.min(Math.abs(ad.cardinality), 10), list.length);
  const inputs = Array.from({ length: count }, (_, at) => el("input", {
    type: "text", value: shown(list[at]), autocomplete: "off", spellcheck: "false",
    "aria-label": `${ad.name || ad.id}, value ${at + 1}`,
  }));
  const texts = () => inputs.map((input) => input.value);
  const filled = () => texts().filter((text) => text.trim() !== "");
  return {
    node: el("div", { class: "many" }, inputs),
    grouped: true,
    text: texts,
    read: () => (filled().length === 0 ? null : filled().map((text) => value(ad, text))),
    restore: (saved) => inputs.forEach((input, at) => { input.value = saved[at] ?? ""; }),
    problem: () => filled().map((text) => problem(ad, text)).find((text) => text !== "")
      ?? (ad.isRequired && filled().length === 0 ? "This field is required." : ""),
  };
}
