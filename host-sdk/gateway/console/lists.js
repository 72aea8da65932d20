// The plain lists: packages, plugins, and certificates of the keystores.

import { get, post } from "./api.js";
import { badge, doing, el, fill, moment } from "./dom.js";

function page(title, about, body) {
  return el("section", { class: "panel" }, el("h1", {}, title), el("p", { class: "muted" }, about), body);
}

function table(heads, rows, none) {
  if (rows.length === 0) return el("p", { class: "muted" }, none);
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
}

export async function plugins(place) {
  const answer = await get("/plugins/v1/plugins");
  const list = answer.plugins ?? [];
  const rows = list.map((plugin) => [
    el("div", {}, plugin.name || "?", el("div", { class: "muted mono" }, plugin.path)),
    plugin.version ?? "",
    plugin.vendor ?? "",
    el("div", {}, badge({ active: "good", failed: "bad" }[plugin.state] ?? "", plugin.state),
      plugin.error ? el("div", {}, plugin.error) : null),
    (plugin.components ?? []).map((component) => el("div", { class: "mono" }, component)),
  ]);
  fill(place, page("Plugins", "A library copied into the plugin folder is loaded while the gateway runs.",
    table(["Plugin", "Version", "Vendor", "State", "Components"], rows, "No library in the plugin folder.")),
    idle(place, answer.instances ?? []));
}

// The components that do not run, each with its reason and another chance.
function idle(place, instances) {
  const rows = instances.filter((instance) => instance.error).map((instance) => [
    el("div", { class: "mono" }, instance.pid),
    el("div", {}, badge(instance.state === "failed" ? "bad" : "", instance.state), el("div", {}, instance.error)),
    el("button", { type: "button", onclick: doing(() => again(place, instance.pid)) }, "Try again"),
  ]);
  return rows.length === 0 ? null : page("Components that do not run", "Each with its reason.",
    table(["Component", "State", ""], rows, ""));
}

async function again(place, pid) {
  try {
    await post(`/plugins/v1/instances/${encodeURIComponent(pid)}/try-again`);
  } finally {
    await plugins(place);
  }
}

export async function packages(place) {
  const list = (await get("/packages/v1/packages")).packages ?? [];
  const rows = list.map((item) => [
    item.name,
    item.version,
    item.pending ? badge("", "provisioning under way") : badge("good", "installed"),
    item.files.map((file) => el("div", { class: "mono" }, file.path)),
  ]);
  fill(place, page("Packages", "Applications that were installed as a whole, by a provisioning or by gateway package install.",
    table(["Package", "Version", "State", "Files"], rows, "No package. gateway package install brings one.")));
}

export async function certificates(place) {
  const list = await get("/keystores/v1/entries");
  const rows = list.map((item) => [
    item.alias,
    item.keystoreServicePid,
    item.subjectDN ?? "",
    item.issuer ?? "",
    item.expirationDate ? moment(new Date(item.expirationDate).toISOString()) : "",
    item.type ?? "",
  ]);
  fill(place, page("Certificates", "SSLKeystore holds the CAs of brokers; DMKeystore those of device management, and its signers.",
    table(["Alias", "Keystore", "Subject", "Issuer", "Valid until", "Kind"], rows,
      "No certificate. gateway keystore import brings one.")));
}
