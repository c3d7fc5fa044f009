import { html, useEffect, useId, useRef } from "../lib/html.js";
import { Store, useStore } from "../lib/store.js";

/** A modal dialog: the browser keeps the focus inside, and gives it back. */
export function Dialog({ title, onClose, wide = false, children }) {
  const element = useRef(null);
  const name = useId();
  useEffect(() => {
    element.current.showModal();
  }, []);
  const outside = event => event.target === element.current && onClose();
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby=${name} onClose=${onClose} onMouseDown=${outside}>
    <div><h2 id=${name}>${title}</h2>${children}</div>
  </dialog>`;
}

const question = new Store(null);

/**
 * Ask before something that cannot be undone.
 * @param {{title: string, text: any, action: string, danger?: boolean}} what
 * @returns {Promise<boolean>}
 */
export const confirm = what => new Promise(answer => question.set({ ...what, answer }));

/** Where questions appear. */
export function Questions() {
  const asked = useStore(question);
  if (!asked) return null;
  const answer = said => {
    question.set(null);
    asked.answer(said);
  };
  return html`<${Dialog} title=${asked.title} onClose=${() => answer(false)}>
    <div>${asked.text}</div>
    <div class="actions">
      <button class="button" onClick=${() => answer(false)}>Back</button>
      <button class="button ${asked.danger ? "danger" : "main"}" onClick=${() => answer(true)}>${asked.action}</button>
    </div>
  <//>`;
}
