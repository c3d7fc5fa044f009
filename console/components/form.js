// Fields with their messages, and forms that show what the API says beside the field that it is about.
import { html, useId, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

/** What is wrong with a field, as a screen reader and everybody else is told. */
export const Wrong = ({ id, messages }) =>
  messages?.length ? html`<p class="wrong" id=${id}><${Icon} name="warning" /><span>${messages.map(text => html`<span key=${text}>${text} </span>`)}</span></p>` : null;

/**
 * A field of one line, several lines, or a choice.
 * @param {{label: string, value: string, onInput: (value: string) => void, messages?: string[], hint?: any, kind?: "text" | "area" | "select",
 *   options?: [string, string][]}} props everything else goes to the element
 */
export function Field({ label, value, onInput, messages, hint, kind = "text", options, ...rest }) {
  const id = useId();
  const described = [hint && `${id}-hint`, messages?.length && `${id}-wrong`].filter(Boolean).join(" ") || undefined;
  const common = { id, class: "input", "aria-describedby": described, "aria-invalid": messages?.length ? "true" : undefined, onInput: event => onInput(event.target.value), ...rest };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${kind === "area"
      ? html`<textarea ...${common} value=${value}></textarea>`
      : kind === "select"
        ? html`<select ...${common} value=${value}>${options.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`)}</select>`
        : html`<input ...${common} value=${value} />`}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    <${Wrong} id="${id}-wrong" messages=${messages} />
  </div>`;
}

/** Several choices as pills. @param {{legend: string, options: [string, any][], value: string[], single?: boolean, onChange: (value: string[]) => void}} props */
export function Pills({ legend, options, value, single = false, onChange, messages, hint }) {
  const id = useId();
  const change = name => onChange(single ? [name] : value.includes(name) ? value.filter(one => one !== name) : [...value, name]);
  return html`<fieldset class="field" aria-describedby=${messages?.length ? `${id}-wrong` : undefined}>
    <legend>${legend}</legend>
    <div class="pills">
      ${options.map(
        ([name, text]) => html`<label class="pill" key=${name}><input type=${single ? "radio" : "checkbox"} name=${id} checked=${value.includes(name)} onChange=${() => change(name)} /><span>${text}</span></label>`,
      )}
    </div>
    ${hint && html`<p class="hint">${hint}</p>`}
    <${Wrong} id="${id}-wrong" messages=${messages} />
  </fieldset>`;
}

/**
 * What a form needs to be sent: whether it is on its way, and what was wrong with it.
 * @param {() => Promise<any>} send
 */
export function useSending(send) {
  const [state, setState] = useState({ busy: false, error: null });
  const submit = async event => {
    event?.preventDefault();
    const form = event?.currentTarget;
    setState({ busy: true, error: null });
    try {
      await send();
      setState({ busy: false, error: null });
    } catch (error) {
      if (error.name === "AbortError") return;
      setState({ busy: false, error });
      // To the first field that is wrong, once it says so.
      requestAnimationFrame(() => form?.querySelector?.('[aria-invalid="true"]')?.focus());
    }
  };
  return { ...state, fields: state.error?.fields ?? {}, submit };
}

/** The last row of a form in a dialog: the way back, and what sends it. @param {{action: string, busy: boolean, close: () => void}} props */
export const DialogActions = ({ action, busy, close }) =>
  html`<div class="actions"><button type="button" class="button" onClick=${close}>Back</button><button class="button main" disabled=${busy}>${action}</button></div>`;

/** What is wrong with a form as a whole: what no field of it shows. @param {{error: any, shown: string[]}} props shown: fields that say it themselves */
export function FormError({ error, shown = [] }) {
  if (!error) return null;
  const rest = Object.entries(error.fields ?? {}).filter(([name]) => !shown.includes(name));
  if (Object.keys(error.fields ?? {}).length && !rest.length) return null;
  const lines = rest.length ? rest.map(([name, messages]) => `${name === "non_field_errors" ? "" : `${name}: `}${[messages].flat().join(" ")}`) : [error.message];
  return html`<div class="notice bad" role="alert"><${Icon} name="warning" /><div>${lines.map(line => html`<p key=${line}>${line}</p>`)}</div></div>`;
}
