// Server-sent events. A browser has six connections for all tabs of one server, so a hidden tab lets go of its own.
import { useEffect, useRef } from "./html.js";

const PAUSE = 3000;

/**
 * Listen to a stream while the page is seen.
 * @param {string | null} address null: to nothing
 * @param {Record<string, (data: any) => void>} handlers by the name of the event. "again": the stream begins once more, and what
 *   happened meanwhile was missed
 */
export function useEvents(address, handlers) {
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    if (!address) return undefined;
    let source = null;
    let retry = null;
    let begun = false;
    const close = () => {
      clearTimeout(retry);
      source?.close();
      source = null;
    };
    const open = () => {
      close();
      if (document.hidden) return;
      source = new EventSource(address);
      source.addEventListener("open", () => {
        if (begun) latest.current.again?.();
        begun = true;
      });
      for (const name of Object.keys(latest.current))
        source.addEventListener(name, event => latest.current[name]?.(event.data ? JSON.parse(event.data) : null));
      // A browser comes back by itself, except after an answer that is no stream: 204 for the end, or an error.
      source.addEventListener("error", () => {
        if (source?.readyState === EventSource.CLOSED) retry = setTimeout(open, PAUSE);
      });
    };
    const seen = () => (document.hidden ? close() : open());
    document.addEventListener("visibilitychange", seen);
    open();
    return () => {
      document.removeEventListener("visibilitychange", seen);
      close();
    };
  }, [address]);
}
