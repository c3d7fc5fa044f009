// Small things that every page has.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { usePlace } from "../lib/router.js";
import { ago, instant, statusName } from "../lib/format.js";
import { Icon } from "./icon.js";

const SHAPES = { queued: "clock", transcoding: "turn", completed: "check", error: "cross", cancelled: "stop" };

/** @param {{status: string}} props */
export const StatusChip = ({ status }) => {
  const name = status.toLowerCase();
  return html`<span class="chip ${name}"><${Icon} name=${SHAPES[name] ?? "info"} />${statusName(name)}</span>`;
};

/** @param {{value: string | null}} props an instant, said as the time since, and in full where the pointer rests */
export const When = ({ value }) => (value ? html`<time datetime=${value} title=${instant(value)}>${ago(value)}</time>` : "–");

/** The title of a page: of the tab as well, and what a screen reader hears when one has come there. */
export function PageHead({ title, crumb, children }) {
  const heading = useRef(null);
  const { turn } = usePlace();
  useEffect(() => {
    document.title = `${title} · Millrace`;
  }, [title]);
  useEffect(() => {
    if (turn) heading.current?.focus({ preventScroll: true });
  }, [turn]);
  return html`<div class="page-head">
    <div class="stack tight">
      ${crumb && html`<a class="crumb" href=${crumb.href}><${Icon} name="back" />${crumb.text}</a>`}
      <h1 tabindex="-1" ref=${heading}>${title}</h1>
    </div>
    ${children && html`<div class="row">${children}</div>`}
  </div>`;
}

/** A part of a page with a heading. */
export const Panel = ({ title, actions, children, bare = false }) =>
  html`<section class="panel">
    <header><h2>${title}</h2>${actions && html`<div class="row">${actions}</div>`}</header>
    ${bare ? children : html`<div class="body">${children}</div>`}
  </section>`;

const KINDS = { bad: "warning", warn: "warning", good: "check", info: "info" };
export const Notice = ({ kind = "info", role, children }) =>
  html`<div class="notice ${kind}" role=${role}><${Icon} name=${KINDS[kind]} /><div class="grow stack tight">${children}</div></div>`;

/** What is said where something could not be read, with a way to try again. @param {{error: Error, again: () => void}} props */
export const Failed = ({ error, again }) =>
  html`<${Notice} kind="bad" role="alert"><p>${error.message}</p>${again && html`<p><button class="button small" onClick=${again}>Try again</button></p>`}<//>`;

export const Empty = ({ icon = "empty", title, children }) =>
  html`<div class="empty"><${Icon} name=${icon} /><strong>${title}</strong>${children && html`<div class="stack tight">${children}</div>`}</div>`;

/** Around a table that may be wider than its place: it can then be scrolled by keys as well. */
export function TableBox({ children }) {
  const box = useRef(null);
  const [wide, setWide] = useState(false);
  useEffect(() => {
    const look = () => box.current && setWide(box.current.scrollWidth > box.current.clientWidth);
    const sizes = new ResizeObserver(look);
    sizes.observe(box.current);
    look();
    return () => sizes.disconnect();
  }, [children]);
  return html`<div class="table-box" ref=${box} tabindex=${wide ? 0 : undefined} role=${wide ? "region" : undefined} aria-label=${wide ? "Table" : undefined}>${children}</div>`;
}

/** Lines that stand for what is still on its way. */
export const Waiting = ({ lines = 4, what = "Loading" }) =>
  html`<div class="stack" role="status"><span class="unseen">${what} …</span>${Array.from({ length: lines }, (_, index) => html`<${Bar} key=${index} width=${90 - ((index * 23) % 50)} />`)}</div>`;
const Bar = ({ width }) => html`<span class="skeleton" style=${{ width: `${width}%` }}></span>`;

/** In a bare panel, what stands there until its data do. @param {{data: any, error: Error | null, again: () => void, what: string}} props */
export function Pending({ data, error, again, what }) {
  if (error) return html`<div class="body"><${Failed} error=${error} again=${again} /></div>`;
  return data ? null : html`<div class="body"><${Waiting} what=${what} /></div>`;
}

/** How far something is. @param {{value: number, label: string, kind?: string}} props value: percent */
export const Channel = ({ value, label, kind = "" }) =>
  html`<span class="channel ${kind}" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${value}><i style=${{ width: `${value}%` }}></i></span>`;

/** A button that copies text, and says so. */
export function CopyButton({ text, label = "Copy", small = true, quiet = false, bare = false }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    setDone(true);
  };
  const said = done ? "Copied" : label;
  return html`<button type="button" class="button ${small ? "small" : ""} ${quiet ? "quiet" : ""} ${bare ? "square" : ""}" onClick=${copy} title=${bare ? said : undefined} aria-label=${bare ? said : undefined}>
    <${Icon} name=${done ? "check" : "copy"} />${!bare && html`<span aria-live="polite">${said}</span>`}
  </button>`;
}

/** Text in fixed width with a button to copy it. */
export const Code = ({ text, label, wrap = false }) =>
  html`<div class="code"><pre class=${wrap ? "wrap" : ""} tabindex="0" role="region" aria-label=${label}>${text}</pre><${CopyButton} text=${text} label="Copy ${label}" bare /></div>`;
