// Requests to the API. The browser carries the session's cookie; what changes something carries its CSRF token too.

let csrfToken = "";

/** @param {string} token what the session's answer said */
export function setCsrfToken(token) {
  csrfToken = token;
}

/** What the API said no with. */
export class ApiError extends Error {
  /** @param {number} status 0 where the server was not reached @param {any} body */
  constructor(status, body) {
    super(summary(status, body));
    this.status = status;
    /** Messages by field. @type {Record<string, string[]>} */
    this.fields = body && typeof body === "object" && !("detail" in body) ? body : {};
  }
}

function summary(status, body) {
  if (body && typeof body === "object") {
    if (typeof body.detail === "string") return body.detail;
    const [field, messages] = Object.entries(body)[0] ?? [];
    if (Array.isArray(messages)) return field === "non_field_errors" ? String(messages[0]) : `${field}: ${messages[0]}`;
  }
  return status ? `The server answered ${status}.` : "The server cannot be reached. Check the connection; this page tries again.";
}

const lost = new Set();
/** Call a function whenever the API says that there is no session any more. */
export const onSignedOut = watcher => lost.add(watcher);

/**
 * Ask the API, and read JSON.
 * @param {string} method @param {string} path below /api/
 * @param {{body?: unknown, query?: Record<string, any>, headers?: Record<string, string>, signal?: AbortSignal, quiet?: boolean}} options
 *   quiet: a 401 is an answer like any other.
 */
export async function call(method, path, { body, query, headers = {}, signal, quiet = false } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (method !== "GET" && csrfToken) sent["X-CSRF-Token"] = csrfToken;
  let response;
  try {
    response = await fetch(address(path, query), { method, headers: sent, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, null);
  }
  const text = await response.text();
  const answer = text && response.headers.get("Content-Type")?.startsWith("application/json") ? JSON.parse(text) : text;
  if (response.ok) return answer;
  if (response.status === 401 && !quiet) for (const watcher of lost) watcher();
  throw new ApiError(response.status, answer);
}

/** @param {string} path @param {Record<string, any>} [query] arrays are repeated, null and "" left out */
export function address(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") parameters.append(name, one);
  const text = parameters.toString();
  return `/api/${path}${text ? `?${text}` : ""}`;
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { body, ...options });
