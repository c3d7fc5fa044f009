// What pages read from the API, as hooks.
import { useCallback, useEffect, useRef, useState } from "./html.js";

/**
 * What a function brings: once at the beginning, and again whenever its key or the news change, or reload is called. What is
 * there stays until the next is there, so that nothing jumps; of another key it is left out.
 * @template T
 * @param {string} key @param {(signal: AbortSignal) => Promise<T>} read @param {string} [news]
 * @returns {{data: T | undefined, error: Error | null, loading: boolean, reload: () => void, change: (with_: (data: T) => T) => void}}
 */
export function useLoad(key, read, news) {
  const [state, setState] = useState({ key, data: undefined, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    const stop = new AbortController();
    setState(old => ({ key, data: old.key === key ? old.data : undefined, error: null, loading: true }));
    latest.current(stop.signal).then(
      data => stop.signal.aborted || setState({ key, data, error: null, loading: false }),
      error => stop.signal.aborted || setState(old => ({ key, data: old.data, error, loading: false })),
    );
    return () => stop.abort();
  }, [key, turn, news]);
  const reload = useCallback(() => setTurn(number => number + 1), []);
  const change = useCallback(with_ => setState(old => (old.data === undefined ? old : { ...old, data: with_(old.data) })), []);
  return { ...state, data: state.key === key ? state.data : undefined, reload, change };
}

/** Draw again every so many milliseconds, for what is said of the time that has passed. @param {number} milliseconds */
export function useClock(milliseconds) {
  const [, setTurn] = useState(0);
  useRepeat(() => setTurn(number => number + 1), milliseconds);
}

/** Do something every so many milliseconds while the page is seen. @param {() => void} act @param {number} milliseconds */
export function useRepeat(act, milliseconds) {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || latest.current(), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
}

/** A function that can be called as often as one likes, and acts at most once in so many milliseconds, the last time for sure. */
export function useThrottle(act, milliseconds) {
  const latest = useRef(act);
  latest.current = act;
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      latest.current();
    }, milliseconds);
  }, [milliseconds]);
}

/** Whether a media query holds now. @param {string} query */
export function useMedia(query) {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = () => setHolds(list.matches);
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [query]);
  return holds;
}
