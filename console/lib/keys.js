// Keys that do something on a page. They can be switched off, since some people speak to their computers.
import { useEffect, useRef } from "./html.js";
import { Store } from "./store.js";

const NAME = "millrace.keys";
export const keysOn = new Store(localStorage.getItem(NAME) !== "off");

export function switchKeys(on) {
  localStorage.setItem(NAME, on ? "on" : "off");
  keysOn.set(on);
}

const writing = element => element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));
// A box to tick takes no letters.
const taking = element => writing(element) && !/^(checkbox|radio)$/.test(element.type);

/** @param {Record<string, (event: KeyboardEvent) => void>} keys what each does, by what the browser calls it */
export function useKeys(keys) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = event => {
      if (!keysOn.value || event.ctrlKey || event.metaKey || event.altKey || taking(event.target) || document.querySelector("dialog[open]")) return;
      const act = latest.current[event.key];
      if (!act) return;
      // What has the focus keeps its own keys.
      if (event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary")) return;
      event.preventDefault();
      act(event);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
