// Addresses below /console/. What a page shows stands in its address, so that it can be kept, sent and gone back to.
import { Store, useStore } from "./store.js";

export const ROOT = "/console/";

const here = () => ({ path: location.pathname, query: location.search, turn: 0 });
const place = new Store(here());

/** Go to an address of the console. @param {string} address @param {{replace?: boolean}} how */
export function navigate(address, { replace = false } = {}) {
  if (address !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", address);
  place.set({ ...here(), turn: place.value.turn + (replace ? 0 : 1) });
}

/** Parameters of the present address. */
export const useQuery = () => new URLSearchParams(useStore(place).query);

/** Which page of a list the present address asks for. */
export const usePage = () => Math.max(1, Number(useQuery().get("page")) || 1);

/** The present address: path, query, and a number that grows with every page that was gone to. */
export const usePlace = () => useStore(place);

/**
 * The present address with other parameters; null and "" take one out, arrays repeat it.
 * @param {Record<string, string | string[] | null>} changes
 */
export function withQuery(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const one of [value].flat()) if (one !== null && one !== "") query.append(name, one);
  }
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

/**
 * The names in a pattern such as "/console/:org/jobs/:job", or null where the path is another.
 * @param {string} pattern @param {string} path
 */
export function match(pattern, path) {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  if (wanted.length !== given.length) return null;
  const names = {};
  for (const [index, part] of wanted.entries()) {
    if (part.startsWith(":")) names[part.slice(1)] = decodeURIComponent(given[index]);
    else if (part !== given[index]) return null;
  }
  return names;
}

addEventListener("popstate", () => place.set({ ...here(), turn: place.value.turn + 1 }));

// Plain links are the console's navigation; whatever asks for a new tab or another place stays the browser's.
document.addEventListener("click", event => {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(ROOT) || link.pathname.startsWith(`${ROOT}assets/`)) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
});
