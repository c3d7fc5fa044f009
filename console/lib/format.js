// Numbers, times and names as people read them.
const LOCALE = "en";
const number = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });

/** @param {number} value */
export const count = value => number.format(value);

/** @param {number} value @param {string} one @param {string} [many] */
export const plural = (value, one, many = `${one}s`) => `${number.format(value)} ${value === 1 ? one : many}`;

/** @param {number | null | undefined} value bytes */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let index = 0;
  for (; value >= 1000 && index < units.length - 1; index += 1) value /= 1000;
  return `${compact.format(value)} ${units[index]}`;
}

/** @param {number | null | undefined} value bits a second */
export function bitRate(value) {
  if (!value) return "–";
  return value >= 1e6 ? `${compact.format(value / 1e6)} Mbit/s` : `${number.format(Math.round(value / 1e3))} kbit/s`;
}

/** How long, for people: "4.2 s", "12 min 5 s", "2 h 10 min". @param {number | null | undefined} seconds */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${compact.format(seconds)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/** How long a film is: "0:12", "1:04:09". @param {number | null | undefined} seconds */
export function filmLength(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const tail = `${hours ? String(minutes).padStart(2, "0") : minutes}:${String(whole % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** @param {string | null | undefined} iso */
export const instant = iso => (iso ? moment.format(new Date(iso)) : "–");

/** @param {string} text a day or a month, as usage names them */
export const dayName = text => (text.length === 7 ? text : day.format(new Date(`${text}T00:00:00Z`)));

/** How long ago, or in how long. @param {string} iso */
export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  if (size < 60) return relative.format(Math.round(seconds), "second");
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86400) return relative.format(Math.round(seconds / 3600), "hour");
  if (size < 86400 * 30) return relative.format(Math.round(seconds / 86400), "day");
  return day.format(new Date(iso));
}

/** Seconds between two instants, the later of which may be still to come. @param {string} from @param {string | null} to */
export const between = (from, to) => ((to ? new Date(to) : Date.now()) - new Date(from)) / 1000;

/** What a source is called, and where it is. @param {string} address */
export function source(address) {
  try {
    const url = new URL(address);
    const parts = url.pathname.split("/").filter(Boolean);
    const name = parts.length ? decodeURIComponent(parts.at(-1)) : url.host;
    const folder = parts.slice(0, -1).join("/");
    return { name, where: `${url.protocol === "s3:" ? "s3://" : ""}${url.host}${folder ? `/${folder}` : ""}` };
  } catch {
    return { name: address, where: "" };
  }
}

const STATUSES = { queued: "Queued", transcoding: "Transcoding", completed: "Completed", error: "Error", cancelled: "Cancelled" };
export const STATUS_NAMES = Object.keys(STATUSES);
/** @param {string} status in any case */
export const statusName = status => STATUSES[status.toLowerCase()] ?? status;
/** Whether a job that has ended so can be run again. @param {string} status in lower case */
export const retryable = status => ["error", "cancelled"].includes(status);
