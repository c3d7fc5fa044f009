import { html } from "../lib/html.js";
import { count } from "../lib/format.js";
import { withQuery } from "../lib/router.js";
import { Icon } from "./icon.js";

/** Which items of how many are shown, with links to the pages beside. @param {{page: number, size: number, total: number}} props */
export function Pager({ page, size, total }) {
  if (total <= size && page === 1) return null;
  const last = Math.max(1, Math.ceil(total / size));
  const link = (to, icon, text) =>
    to < 1 || to > last
      ? html`<span class="button small" aria-disabled="true"><${Icon} name=${icon} />${text}</span>`
      : html`<a class="button small" href=${withQuery({ page: to === 1 ? null : String(to) })} rel=${icon === "back" ? "prev" : "next"}><${Icon} name=${icon} />${text}</a>`;
  return html`<nav class="row spread" aria-label="Pages">
    <span class="soft small">${count((page - 1) * size + 1)}–${count(Math.min(page * size, total))} of ${count(total)}</span>
    <span class="row">${link(page - 1, "back", "Newer")}${link(page + 1, "forward", "Older")}</span>
  </nav>`;
}
