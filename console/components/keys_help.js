import { html, useState } from "../lib/html.js";
import { keysOn, switchKeys, useKeys } from "../lib/keys.js";
import { useStore } from "../lib/store.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";

/** Shows the keys of a page, and switches them off. @param {{keys: [string, string][]}} props */
export function KeysButton({ keys }) {
  const [shown, show] = useState(false);
  const on = useStore(keysOn);
  useKeys({ "?": () => show(true) });
  return html`<button class="button square quiet keys" onClick=${() => show(true)} title="Keys"><${Icon} name="keyboard" title="Keys of this page" /></button>
    ${shown &&
    html`<${Dialog} title="Keys" onClose=${() => show(false)}>
      <dl class="facts">${[...keys, ["?", "these keys"]].map(([key, does]) => html`<dt key=${key}><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl>
      <label class="choice"><input type="checkbox" checked=${on} onChange=${event => switchKeys(event.target.checked)} />Single keys do these things</label>
      <div class="actions"><button class="button" onClick=${() => show(false)}>Close</button></div>
    <//>`}`;
}
