// Small pieces of page: elements, notes, and times in words.

/** el("p", {class: "x", onclick: f}, "text", node, null…) */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Replaces what a node holds. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * As fill(), where that makes a difference: what is as it was is not read aloud again, and keeps the
 * keyboard. What took the place of the link or button that had it gets it.
 */
export function refill(node, ...children) {
  if (el("div", {}, ...children.flat()).innerHTML === node.innerHTML) return;
  const pressable = () => [...node.querySelectorAll("a, button")];
  const held = pressable().indexOf(document.activeElement);
  fill(node, ...children);
  pressable()[held]?.focus();
}

let serial = 0;
export const unique = (prefix) => `${prefix}-${(serial += 1)}`;

export const badge = (tone, text) => el("span", { class: "badge", data: { tone } }, text);

export const note = (tone, ...children) =>
  el("div", { class: "note", data: { tone }, role: tone === "bad" ? "alert" : null }, ...children);

/** A message that goes away by itself, in a place that screen readers follow. */
export function toast(tone, text) {
  const node = note(tone, el("p", {}, text));
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), tone === "bad" ? 9000 : 4000);
}

/** Runs what a button does; the button rests meanwhile, a refusal is shown. */
export function doing(action) {
  return async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await action();
    } catch (error) {
      toast("bad", error.message);
    } finally {
      button.disabled = false;
    }
  };
}

/** How long something took: 0.4 s, else as span(). */
export const duration = (milliseconds) =>
  milliseconds < 9950 ? `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s` : span(milliseconds);

/** 42 s, 3 min 05 s, 2 h 10 min */
export function span(milliseconds) {
  const s = Math.max(0, Math.round(milliseconds / 1000));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
}

export function moment(text) {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? text ?? "" : new Date(time).toLocaleString();
}

/** The pid after its last dot: what Kura's consoles call a component. */
export const shortName = (pid) => pid.slice(pid.lastIndexOf(".") + 1);

/** A list of facts; empty ones are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return el("dl", { class: "facts" }, known.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** A dialog with a title, a body, and the two ways out of it; a refusal leaves it open. */
export function ask(title, body, yes, action) {
  const submit = el("button", { type: "submit", class: "primary" }, yes);
  const sheet = el("form", {}, el("h2", {}, title), body,
    el("div", { class: "actions" }, submit, el("button", { type: "button", onclick: () => dialog.close() }, "Leave it")));
  const dialog = el("dialog", { "aria-label": title }, sheet);
  const run = doing(async () => {
    await action();
    dialog.close();
  });
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    run({ currentTarget: submit });
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
