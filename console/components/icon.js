import { html } from "../lib/html.js";

// Drawn on 24 by 24, in lines.
const PATHS = {
  jobs: "M4 6h16M4 12h16M4 18h10",
  webhooks: "M9.500 8.500a3.500 3.500 0 1 1 5 3.100l2.500 4.400M12 8l-3 6.500M7.500 14.200a3.500 3.500 0 1 0 3 3.800h5.500M16 21a3 3 0 1 0 0-6",
  workers: "M5 4h14v6H5zM5 14h14v6H5zM8.500 7h.01M8.500 17h.01M12 7h4M12 17h4",
  usage: "M5 20V11M12 20V4M19 20v-6M3 20h18",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
  plus: "M12 5v14M5 12h14",
  search: "M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM15.500 15.500 20 20",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14.500 6 8.500 12l6 6",
  forward: "M9.500 6l6 6-6 6",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  check: "M5 12.500 10 17.500 19.500 7",
  cross: "M7 7l10 10M17 7 7 17",
  turn: "M12 3.500a8.500 8.500 0 1 0 8.500 8.500",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.500 2",
  stop: "M7 12h10",
  warning: "M12 4 2.500 20h19zM12 10v4.500M12 17.300v.01",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.500M12 7.700v.01",
  retry: "M19.500 12a7.500 7.500 0 1 1-2.200-5.300L20 9.400M20 4v5.400h-5.400",
  upload: "M12 16V4.500M7 9l5-5 5 5M4 16v4h16v-4",
  download: "M12 4v11.500M7 11l5 5 5-5M4 20h16",
  link: "M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1",
  bucket: "M4.500 7.500h15L18 20H6zM4.500 7.500c0-2 3.400-3.500 7.500-3.500s7.500 1.500 7.500 3.500",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.500h4M4 14.500h4M16 9.500h4M16 14.500h4",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20.500c.8-4 3.800-6 7.500-6s6.700 2 7.500 6",
  leave: "M14 4H5v16h9M11 12h9.500M17 8.500l3.500 3.500-3.500 3.500",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
  screen: "M3.500 5h17v11h-17zM9 20h6M12 16v4",
  play: "M7 4.500v15l12-7.500z",
  key: "M14.500 14a5 5 0 1 0-4.700-3.300L4 16.500V20h3.500v-2.500H10V15l1-1",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  empty: "M3.500 14 6 5h12l2.500 9v5.500h-17zM3.500 14H9l1.500 2.500h3L15 14h5.500",
  bolt: "M13 3 5 13.500h6L10.500 21 19 10.500h-6z",
  trash: "M5 7h14M9.500 7V4h5v3M7 7l1 13h8l1-13",
  keyboard: "M3 6.500h18v11H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
};

/** @param {{name: keyof PATHS, title?: string}} props title: what it says to those who do not see it; none where text stands beside it */
export const Icon = ({ name, title }) =>
  html`<svg class="icon" viewBox="0 0 24 24" role=${title ? "img" : undefined} aria-label=${title} aria-hidden=${title ? undefined : "true"}><path d=${PATHS[name]} /></svg>`;

export const Mark = () =>
  html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#173733" /><g fill="none" stroke="#6fd3c7" stroke-width="2.4" stroke-linecap="round"><circle cx="19.5" cy="13.5" r="6.3" /><path d="M19.5 7.2v12.6M13.2 13.5h12.6M4.5 11h5.2" /><path d="M4.5 24.5c3.300 0 3.300-1.600 6.600-1.600s3.300 1.600 6.600 1.600 3.300-1.600 6.600-1.600c1.800 0 2.400.500 3.200.900" stroke="#e8b45a" /></g></svg>`;
