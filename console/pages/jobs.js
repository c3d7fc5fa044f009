// The jobs of an organization: found by status and words, live, and cancelled or retried several at a time.
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { address, get } from "../lib/api.js";
import { useEvents } from "../lib/events.js";
import { count, plural, retryable } from "../lib/format.js";
import { useKeys } from "../lib/keys.js";
import { useClock, useLoad, useThrottle } from "../lib/load.js";
import { navigate, usePage, useQuery } from "../lib/router.js";
import { may } from "../lib/session.js";
import { Empty, Failed, PageHead, TableBox, Waiting } from "../components/basics.js";
import { Icon } from "../components/icon.js";
import { KeysButton } from "../components/keys_help.js";
import { Pager } from "../components/pager.js";
import { cancelJobs, retryJobs } from "./jobs/actions.js";
import { Filters } from "./jobs/filters.js";
import { JobRow } from "./jobs/row.js";

const SIZE = 25;
const FIELDS = "id,status,stage,progress,input_url,output_path,resolutions,video_duration,created,start_time,end_time,waiting,error_code,error_message,warnings,queue_position,priority,encryption";
const KEYS = [
  ["j", "next job"],
  ["k", "previous job"],
  ["x", "select it"],
  ["Enter", "open it"],
  ["/", "search"],
  ["n", "new job"],
  ["c", "cancel what is selected"],
  ["r", "retry what is selected"],
];

/** @param {{org: string}} props */
export function JobsPage({ org }) {
  const query = useQuery();
  const filter = { search: query.get("search"), created_from: query.get("from"), created_to: query.get("to"), enable_drm: query.get("drm") };
  const page = usePage();
  const key = JSON.stringify([org, query.toString()]);
  const jobs = useLoad(key, signal =>
    get(`v1/${org}/transcoding_jobs/`, { signal, query: { ...filter, status: query.getAll("status"), ordering: query.get("order"), page: page > 1 ? page : null, page_size: SIZE, fields: FIELDS } }),
  );
  const counts = useLoad(JSON.stringify([org, filter]), signal => get(`v1/${org}/transcoding_jobs/counts/`, { signal, query: filter }));
  const rows = jobs.data?.results ?? [];
  const again = useThrottle(() => {
    jobs.reload();
    counts.reload();
  }, 700);
  useLive(org, rows, jobs.change, again);
  useClock(rows.some(row => row.status === "transcoding") ? 2000 : 15000);

  const { selected, select, clear } = useSelection(rows, key);
  const list = useRef(null);
  const done = ok => ok && (clear(), again());
  const writes = may(org, "member");
  const chosen = rows.filter(row => selected.has(row.id));
  const steps = { j: 1, k: -1 };
  const focused = () => [...(list.current?.querySelectorAll("tr[data-job]") ?? [])].indexOf(document.activeElement?.closest?.("tr[data-job]"));
  const step = event => {
    const lines = [...(list.current?.querySelectorAll("tr[data-job] a.job") ?? [])];
    lines[Math.min(Math.max(focused() + steps[event.key], 0), lines.length - 1)]?.focus();
  };
  useKeys({
    j: step,
    k: step,
    x: () => focused() >= 0 && select(rows[focused()].id),
    "/": () => document.getElementById("search")?.focus(),
    n: () => writes && navigate(`/console/${org}/jobs/new`),
    c: async () => chosen.length && done(await cancelJobs(org, chosen)),
    r: async () => chosen.length && done(await retryJobs(org, chosen)),
  });

  const filtered = Boolean(query.toString());
  return html`
    <${PageHead} title="Jobs">
      <${KeysButton} keys=${KEYS} />
      ${writes && html`<a class="button main" href="/console/${org}/jobs/new"><${Icon} name="plus" />New job</a>`}
    <//>
    <${Filters} query=${query} counts=${counts.data} />
    ${jobs.error && html`<${Failed} error=${jobs.error} again=${jobs.reload} />`}
    <section class="panel" aria-label="Jobs" aria-busy=${jobs.loading}>
      ${chosen.length > 0 && html`<${Selected} org=${org} chosen=${chosen} clear=${clear} done=${done} />`}
      ${!jobs.data && !jobs.error && html`<div class="body"><${Waiting} lines=${8} what="Loading the jobs" /></div>`}
      ${jobs.data && !rows.length && html`<${Nothing} org=${org} filtered=${filtered} writes=${writes} />`}
      ${rows.length > 0 &&
      html`<${TableBox}><table class="jobs" ref=${list}>
        <thead>
          <tr>
            ${writes && html`<th class="tick"><${All} rows=${rows} selected=${selected} select=${select} clear=${clear} /></th>`}
            <th>Status</th><th>Source</th><th class="wide">Resolutions</th><th class="right wide">Length</th><th class="right">Created</th>
          </tr>
        </thead>
        <tbody>${rows.map(row => html`<${JobRow} key=${row.id} org=${org} job=${row} ticked=${selected.has(row.id)} tick=${writes ? select : null} />`)}</tbody>
      </table><//>`}
    </section>
    ${jobs.data && html`<${Pager} page=${page} size=${SIZE} total=${jobs.data.count} />`}
  `;
}

/** Keep the rows as they are at the server: those under way by their own events, the list as a whole by being read again. */
function useLive(org, rows, change, again) {
  const open = rows.filter(row => !row.end_time).map(row => row.id).join(",");
  const wanted = useMemo(() => address(`v1/${org}/transcoding_jobs/events/`, { ids: open, fields: FIELDS }), [org, open]);
  useEvents(wanted, {
    job: job => change(data => ({ ...data, results: data.results.map(row => (row.id === job.id ? job : row)) })),
    list: again,
    again,
  });
}

/** Which rows are ticked; another list begins with none. */
function useSelection(rows, key) {
  const [selected, setSelected] = useState(new Set());
  useEffect(() => setSelected(new Set()), [key]);
  const select = (...ids) =>
    setSelected(old => {
      const next = new Set(old);
      for (const id of ids) if (!next.delete(id)) next.add(id);
      return next;
    });
  const there = useMemo(() => new Set(rows.filter(row => selected.has(row.id)).map(row => row.id)), [rows, selected]);
  return { selected: there, select, clear: () => setSelected(new Set()) };
}

function All({ rows, selected, select, clear }) {
  const all = selected.size === rows.length;
  const box = useRef(null);
  useEffect(() => {
    box.current.indeterminate = selected.size > 0 && !all;
  });
  return html`<label class="choice"><input ref=${box} type="checkbox" checked=${all} onChange=${() => (all ? clear() : select(...rows.map(row => row.id).filter(id => !selected.has(id))))} /><span class="narrow-only">Select all</span></label>`;
}

function Selected({ org, chosen, clear, done }) {
  const open = chosen.filter(job => !job.end_time).length;
  const again = chosen.filter(job => retryable(job.status)).length;
  const act = action => async () => done(await action(org, chosen));
  return html`<div class="selected row spread" role="region" aria-label="Selected jobs">
    <strong>${plural(chosen.length, "job")} selected</strong>
    <span class="row">
      <button class="button small" disabled=${!again} onClick=${act(retryJobs)}><${Icon} name="retry" />Retry${again ? ` ${count(again)}` : ""}</button>
      <button class="button small danger" disabled=${!open} onClick=${act(cancelJobs)}><${Icon} name="close" />Cancel${open ? ` ${count(open)}` : ""}</button>
      <button class="button small quiet" onClick=${clear}>Clear</button>
    </span>
  </div>`;
}

const Nothing = ({ org, filtered, writes }) =>
  filtered
    ? html`<${Empty} icon="search" title="No job fits"><p>Try other words or another status.</p><p><a href=${`/console/${org}/jobs`}>Show all jobs</a></p><//>`
    : html`<${Empty} icon="film" title="No jobs yet">
        <p>A job makes a stream out of a video: playlists and segments for players, in your bucket.</p>
        ${writes && html`<p><a class="button main" href="/console/${org}/jobs/new"><${Icon} name="plus" />New job</a></p>`}
      <//>`;
