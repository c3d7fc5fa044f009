// Who is signed in, and for which organizations.
import { ApiError, call, get, onSignedOut, setCsrfToken } from "./api.js";
import { Store } from "./store.js";

const ADDRESS = "v1/auth/session/";
const RANKS = ["viewer", "member", "admin"];

/** undefined until it is known, null where nobody is signed in. */
export const session = new Store(undefined);

function begin(answer) {
  setCsrfToken(answer.csrf_token);
  session.set(answer);
}

export async function restore() {
  try {
    begin(await get(ADDRESS, { quiet: true }));
  } catch (error) {
    if (!(error instanceof ApiError) || ![401, 404].includes(error.status)) throw error;
    session.set(null);
  }
}

// The page is loaded anew then, since what it may load depends on who is signed in.

/** @param {string} username @param {string} password */
export const signIn = (username, password) => call("POST", ADDRESS, { body: { username, password }, quiet: true });

/** @param {string} token */
export const signInWithToken = token => call("POST", ADDRESS, { body: {}, headers: { Authorization: `Token ${token}` }, quiet: true });

export async function signOut() {
  try {
    await call("DELETE", ADDRESS, { quiet: true });
  } finally {
    session.set(null);
  }
}

/** Whether one may do in an organization what takes a role. @param {string} org @param {"member" | "admin"} role */
export function may(org, role) {
  const held = session.value?.organizations.find(one => one.id === org)?.role;
  return Boolean(session.value?.operator) || RANKS.indexOf(held) >= RANKS.indexOf(role);
}

onSignedOut(() => session.set(null));
