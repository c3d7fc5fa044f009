// Brings a file straight into the organization's storage, in parts where it is large, and says how far it is.
import { ApiError, call, post } from "../../lib/api.js";

const MIB = 1024 * 1024;
const PART = 16 * MIB;
const AT_ONCE = 3;
const TRIES = 4;

/**
 * @param {string} org @param {File} file
 * @param {{onProgress: (sent: number) => void, signal: AbortSignal}} options
 * @returns {Promise<any>} the upload as the API knows it
 */
export async function send(org, file, { onProgress, signal }) {
  const path = `v1/${org}/uploads/`;
  const asked = { filename: file.name || "video", size: file.size, ...(file.type ? { content_type: file.type } : {}) };
  const upload = await post(path, file.size > PART ? { ...asked, part_size: partSize(file.size) } : asked, { signal });
  try {
    await sendAll(upload, file, onProgress, signal);
    return await post(`${path}${upload.id}/complete/`, undefined, { signal });
  } catch (error) {
    // What came of it until now would stay in the bucket.
    call("DELETE", `${path}${upload.id}/`).catch(() => {});
    throw error;
  }
}

/** At most 1,000 parts. @param {number} size */
export const partSize = size => Math.max(PART, Math.ceil(size / 1000 / MIB) * MIB);

async function sendAll(upload, file, onProgress, signal) {
  const parts = upload.parts ?? [{ number: 1, url: upload.url, size: file.size }];
  const left = parts.map((part, index) => ({ ...part, begin: index * (upload.part_size ?? file.size) }));
  const sent = new Map();
  const tell = (number, bytes) => {
    sent.set(number, bytes);
    onProgress([...sent.values()].reduce((sum, one) => sum + one, 0));
  };
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const worker = async () => {
    for (let part = left.shift(); part; part = left.shift()) {
      const { number, url, begin, size } = part;
      await repeat(() => put(url, file.slice(begin, begin + size), upload.headers, bytes => tell(number, bytes), either), either);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } catch (error) {
    stop.abort();
    throw error;
  }
}

async function repeat(act, signal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || attempt === TRIES || (error.status >= 400 && error.status < 500)) throw error;
      await new Promise(resolve => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }
}

// Unlike fetch, this says how much was sent.
const put = (url, body, headers, onBytes, signal) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const end = (act, value) => {
      signal.removeEventListener("abort", stop);
      act(value);
    };
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers ?? {})) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", event => onBytes(event.loaded));
    request.addEventListener("load", () => (request.status < 300 ? end(resolve) : end(reject, new ApiError(request.status, { detail: `The storage refused the file with status ${request.status}.` }))));
    request.addEventListener("error", () => end(reject, new ApiError(0, { detail: `The storage at ${new URL(url).host} did not take the file. It has to be reachable from this browser, and its bucket must allow PUT from ${location.origin} (CORS).` })));
    request.addEventListener("abort", () => end(reject, new DOMException("given up", "AbortError")));
    if (signal.aborted) end(reject, new DOMException("given up", "AbortError"));
    else {
      signal.addEventListener("abort", stop);
      request.send(body);
    }
  });
