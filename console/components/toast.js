// Short news in a corner, which a screen reader says too.
import { html } from "../lib/html.js";
import { Store, useStore } from "../lib/store.js";
import { Icon } from "./icon.js";

const SHOWN = 6000;
const toasts = new Store([]);
let last = 0;

const drop = id => toasts.set(toasts.value.filter(one => one.id !== id));

/** @param {any} content text or a template @param {"good" | "bad"} kind */
export function toast(content, kind = "good") {
  const id = (last += 1);
  toasts.set([...toasts.value.slice(-3), { id, content, kind }]);
  // Bad news stays until it is closed.
  if (kind === "good") setTimeout(drop, SHOWN, id);
}

/** Do something, and say where it failed. Returns whether it was done. @param {() => Promise<any>} act @param {any} [done] what to say then */
export async function attempt(act, done) {
  try {
    const answer = await act();
    if (done) toast(typeof done === "function" ? done(answer) : done);
    return true;
  } catch (error) {
    toast(error.message, "bad");
    return false;
  }
}

export const Toasts = () =>
  html`<div class="toasts" role="status" aria-live="polite">
    ${useStore(toasts).map(
      one => html`<div class="toast ${one.kind}" key=${one.id}>
        <${Icon} name=${one.kind === "bad" ? "warning" : "check"} /><div class="grow break">${one.content}</div>
        <button onClick=${() => drop(one.id)}><${Icon} name="close" title="Close the message" /></button>
      </div>`,
    )}
  </div>`;
