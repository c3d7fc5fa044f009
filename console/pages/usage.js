// What the organization's jobs have taken, by day or month.
import { html } from "../lib/html.js";
import { address, get } from "../lib/api.js";
import { bytes, count, dayName, lasting, plural } from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { navigate, useQuery, withQuery } from "../lib/router.js";
import { Failed, PageHead, Panel, TableBox, Waiting } from "../components/basics.js";
import { BarChart } from "../components/chart.js";
import { Icon } from "../components/icon.js";

const minutes = value => (value >= 600 ? `${count(Math.round(value / 60))} h` : `${count(Math.round(value * 10) / 10)} min`);
const ENDS = [["completed", "completed", "--series-1"], ["error", "error", "--series-4"], ["cancelled", "cancelled", "--stone"]];

/** @param {{org: string}} props */
export default function UsagePage({ org }) {
  const query = useQuery();
  const by = query.get("by") === "month" ? "month" : "day";
  const wanted = { by, from: query.get("from"), to: query.get("to") };
  const { data, error, reload } = useLoad(JSON.stringify([org, wanted]), signal => get(`v1/${org}/usage/`, { signal, query: wanted }));
  const set = changes => navigate(withQuery(changes), { replace: true });
  return html`
    <${PageHead} title="Usage"><a class="button" href=${address(`v1/${org}/usage/`, { ...wanted, format: "csv" })} download><${Icon} name="download" />CSV</a><//>
    <div class="row usage-filter">
      <nav class="tabs grow" aria-label="Period">${["day", "month"].map(one => html`<a key=${one} href=${withQuery({ by: one === "day" ? null : one, from: null, to: null })} aria-current=${one === by ? "true" : undefined}>By ${one}</a>`)}</nav>
      <label class="date"><span>From</span><input class="input" type="date" value=${wanted.from ?? ""} onChange=${event => set({ from: event.target.value })} /></label>
      <label class="date"><span>To</span><input class="input" type="date" value=${wanted.to ?? ""} onChange=${event => set({ to: event.target.value })} /></label>
    </div>
    ${error && html`<${Failed} error=${error} again=${reload} />`}
    ${!data && !error && html`<${Waiting} lines=${8} what="Loading the usage" />`}
    ${data && html`<${Totals} total=${data.total} /><${Charts} results=${data.results} /><${Table} data=${data} />`}
  `;
}

function Totals({ total }) {
  const jobs = Object.values(total.jobs).reduce((sum, one) => sum + one, 0);
  const figures = [
    ["Jobs ended", count(jobs), `${count(total.jobs.completed)} completed, ${plural(total.jobs.error, "error")}`],
    ["Source", minutes(total.source_minutes), `${bytes(total.bytes_in)} fetched`],
    ["Renditions", minutes(total.rendition_minutes), `${bytes(total.bytes_out)} uploaded`],
    ["Encoding", lasting(total.encode_seconds), total.rendition_minutes ? `${(total.encode_seconds / 60 / total.rendition_minutes).toFixed(2)} min for a minute` : "of encoders at work"],
  ];
  return html`<dl class="figures">${figures.map(([name, value, note]) => html`<div class="panel" key=${name}><dt>${name}</dt><dd>${value}</dd><dd class="soft small">${note}</dd></div>`)}</dl>`;
}

const at = period => Date.parse(period.length === 7 ? `${period}-01T00:00:00Z` : `${period}T00:00:00Z`) / 1000;
const SHORT = { day: new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" }), month: new Intl.DateTimeFormat("en", { month: "short", year: "numeric", timeZone: "UTC" }) };

function Charts({ results }) {
  const times = results.map(one => at(one.period));
  const short = SHORT[results[0]?.period.length === 7 ? "month" : "day"];
  const name = time => short.format(new Date(time * 1000));
  const chart = (title, series, format) => html`<${Panel} key=${title} title=${title}><${BarChart} label=${title} times=${times} series=${series} format=${format} name=${name} /><//>`;
  return html`<div class="charts">
    ${chart("Jobs", ENDS.map(([key, text, color]) => ({ name: text, color, values: results.map(one => one.jobs[key]) })), value => (Number.isInteger(value) ? count(value) : ""))}
    ${chart("Minutes of renditions", [{ name: "minutes", color: "--series-1", values: results.map(one => one.rendition_minutes) }], minutes)}
    ${chart("Time of encoders", [{ name: "time", color: "--series-3", values: results.map(one => one.encode_seconds) }], value => minutes(value / 60))}
    ${chart("Uploaded", [{ name: "bytes", color: "--series-2", values: results.map(one => one.bytes_out) }], bytes)}
  </div>`;
}

function Table({ data }) {
  const rows = data.results.filter(one => Object.values(one.jobs).some(Boolean) || one.bytes_out).reverse();
  return html`<${Panel} title="Figures" bare>
    <${TableBox}><table class="cards">
      <thead><tr><th>Period (UTC)</th><th class="right">Completed</th><th class="right">Error</th><th class="right">Cancelled</th><th class="right">Source</th><th class="right">Renditions</th><th class="right">Encoding</th><th class="right">Fetched</th><th class="right">Uploaded</th></tr></thead>
      <tbody>
        ${rows.map(
          one => html`<tr key=${one.period}><td><strong>${dayName(one.period)}</strong></td><td data-label="Completed" class="right">${count(one.jobs.completed)}</td><td data-label="Error" class="right">${count(one.jobs.error)}</td><td data-label="Cancelled" class="right">${count(one.jobs.cancelled)}</td>
            <td data-label="Source" class="right nowrap">${minutes(one.source_minutes)}</td><td data-label="Renditions" class="right nowrap">${minutes(one.rendition_minutes)}</td><td data-label="Encoding" class="right nowrap">${lasting(one.encode_seconds)}</td><td data-label="Fetched" class="right nowrap">${bytes(one.bytes_in)}</td><td data-label="Uploaded" class="right nowrap">${bytes(one.bytes_out)}</td></tr>`,
        )}
        ${!rows.length && html`<tr><td colspan="9" class="soft">No job has ended in this time.</td></tr>`}
      </tbody>
    </table><//>
  <//>`;
}
