// The gateway's REST interface: the token, requests, errors, and the stream of events.
// Knows no resource and draws nothing.

/** What is said where the token that opened this page opens nothing any more. */
export const RESTARTED = "The gateway was started again; its token is new.";

let token = "";
let skew = 0; // gateway's clock minus ours, milliseconds

/** Takes the token out of the address (#token=… or #token=…&view=packages) and keeps it for this tab. */
export function takeToken() {
  const found = /^#token=([^&]+)(?:&view=([a-z]+))?$/.exec(location.hash);
  if (found) {
    sessionStorage.setItem("token", decodeURIComponent(found[1]));
    history.replaceState(null, "", `${location.pathname}#/${found[2] ?? ""}`);
  }
  token = sessionStorage.getItem("token") ?? "";
  return token !== "";
}

export function setToken(text) {
  token = text.trim();
  sessionStorage.setItem("token", token);
}

/** What the gateway answered when it did not do what was asked. */
export class Refusal extends Error {
  constructor(status, body) {
    super(status === 401 ? RESTARTED : body?.message || `The gateway answered ${status}.`);
    this.status = status;
    this.body = body ?? {};
    this.problems = this.body.problems ?? [];
  }
}

/** Now, by the gateway's clock. */
export function now() {
  return Date.now() + skew;
}

async function send(method, path, body, signal) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`services${path}`, {
      method, headers, signal, cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, { message: "The gateway does not answer." });
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds; a smaller difference is noise.
  if (!Number.isNaN(date) && Math.abs(date - Date.now()) > 2000) skew = date - Date.now();
  return response;
}

/** Sends a request; gives the JSON of the answer, null where there is none. */
export async function call(method, path, body) {
  const response = await send(method, path, body);
  const text = await response.text();
  let json = null;
  try {
    json = text === "" ? null : JSON.parse(text);
  } catch {
    json = { message: text };
  }
  if (!response.ok) throw new Refusal(response.status, json);
  return json;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);
export const del = (path, body) => call("DELETE", path, body);

/**
 * Follows /services/events for ever: `heard(name, data)` for each event, `live(true|false)`
 * when the stream comes up or breaks; `refused()` where the token is not the gateway's, and waits
 * until there is another. EventSource cannot carry the token, so this reads the stream itself.
 */
export async function follow(heard, live, refused) {
  for (let pause = 500; ; pause = Math.min(pause * 2, 10000)) {
    try {
      const response = await send("GET", "/events");
      if (response.status === 401) {
        live(false);
        await refused();
        pause = 250;
        continue;
      }
      if (response.ok) {
        live(true);
        pause = 500;
        await read(response.body, heard);
      }
    } catch {
      // Fall through to the pause and try again.
    }
    live(false);
    await new Promise((wake) => setTimeout(wake, pause));
  }
}

async function read(stream, heard) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      let name = "message";
      const data = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
      }
      if (data.length > 0) heard(name, JSON.parse(data.join("\n")));
    }
  }
}
