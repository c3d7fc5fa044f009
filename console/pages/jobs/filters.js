// Search, status and dates, all of which stand in the address.
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { count, STATUS_NAMES, statusName } from "../../lib/format.js";
import { useMedia } from "../../lib/load.js";
import { navigate, withQuery } from "../../lib/router.js";
import { Icon } from "../../components/icon.js";

const PAUSE = 300;

/** @param {{query: URLSearchParams, counts: any}} props */
export function Filters({ query, counts }) {
  const statuses = query.getAll("status");
  const all = statuses.length === 0;
  const set = changes => navigate(withQuery({ page: null, ...changes }), { replace: true });
  const narrow = useMedia("(max-width: 40rem)");
  const rest = html`
    <label class="date"><span>From</span><input class="input" type="date" value=${query.get("from") ?? ""} onChange=${event => set({ from: event.target.value })} /></label>
    <label class="date"><span>To</span><input class="input" type="date" value=${query.get("to") ?? ""} onChange=${event => set({ to: event.target.value })} /></label>
    <label class="date"><span>Order</span>
      <select class="input" onChange=${event => set({ order: event.target.value })}>
        <option value="" selected=${!query.get("order")}>Newest first</option>
        <option value="created" selected=${query.get("order") === "created"}>Oldest first</option>
      </select>
    </label>
  `;
  return html`<div class="filters">
    <nav class="tabs" aria-label="Status">
      <a href=${withQuery({ status: null, page: null })} aria-current=${all ? "true" : undefined}>All<${Count} value=${counts?.count} /></a>
      ${STATUS_NAMES.map(
        name => html`<a key=${name} href=${withQuery({ status: name, page: null })} aria-current=${statuses.includes(name) ? "true" : undefined}>${statusName(name)}<${Count} value=${counts?.by_status[name]} /></a>`,
      )}
    </nav>
    <div class="row">
      <${Search} value=${query.get("search") ?? ""} onSearch=${search => set({ search })} />
      ${narrow
        ? html`<details class="more"><summary><${Icon} name="settings" />Dates and order</summary><div>${rest}</div></details>`
        : rest}
    </div>
  </div>`;
}

const Count = ({ value }) => (value === undefined ? null : html`<span class="count">${count(value)}</span>`);

/** A box that searches when one has stopped typing. */
function Search({ value, onSearch }) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  // An address that was gone back to brings other words.
  useEffect(() => {
    if (value !== sent.current) setText((sent.current = value));
  }, [value]);
  useEffect(() => {
    const words = text.trim();
    if (words === sent.current) return undefined;
    const timer = setTimeout(() => onSearch((sent.current = words)), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  const keys = event => {
    if (event.key === "Escape") setText("");
  };
  return html`<label class="search grow"><${Icon} name="search" /><span class="unseen">Search jobs</span>
    <input id="search" class="input" type="search" maxlength="200" placeholder="Id, source or metadata" value=${text} onInput=${event => setText(event.target.value)} onKeyDown=${keys} />
  </label>`;
}
