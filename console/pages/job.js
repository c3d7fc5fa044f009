// One job: what it is, what happens to it now, what came of it, and why not.
import { html, useState } from "../lib/html.js";
import { address, call, get } from "../lib/api.js";
import { useEvents } from "../lib/events.js";
import { retryable, source } from "../lib/format.js";
import { useClock, useLoad, useThrottle } from "../lib/load.js";
import { may } from "../lib/session.js";
import { Channel, Code, CopyButton, Failed, Notice, PageHead, Panel, StatusChip, Waiting } from "../components/basics.js";
import { confirm } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { attempt } from "../components/toast.js";
import { Compliance } from "./job/compliance.js";
import { curlOf } from "./job/curl.js";
import { Facts } from "./job/facts.js";
import { PlayerPanel } from "./job/player_panel.js";
import { Renditions } from "./job/renditions.js";
import { RetryButton } from "./job/retry.js";
import { TimelinePanel } from "./job/timeline.js";
import { Trouble } from "./job/trouble.js";

/** @param {{org: string, job: string}} props */
export default function JobPage({ org, job: id }) {
  const path = `v1/${org}/transcoding_jobs/${id}/`;
  const { data: job, error, reload, change } = useLoad(path, signal => get(path, { signal }));
  const [turn, setTurn] = useState(0);
  const tell = useThrottle(() => setTurn(number => number + 1), 1500);
  const open = Boolean(job) && !job.end_time;
  useEvents(open ? address(`${path}events/`) : null, {
    job: data => {
      change(() => data);
      tell();
    },
    again: reload,
  });
  useClock(open ? 1000 : 30000);
  const crumb = { href: `/console/${org}/jobs`, text: "Jobs" };
  if (!job)
    return error
      ? html`<${PageHead} title="Job" crumb=${crumb} /><${Failed} error=${error.status === 404 ? new Error(`There is no job ${id} in this organization. It may have been removed.`) : error} again=${reload} />`
      : html`<${PageHead} title="Job" crumb=${crumb} /><${Waiting} lines=${8} what="Loading the job" />`;

  const status = job.status.toLowerCase();
  const { name } = source(job.input_url);
  const writes = may(org, "member");
  return html`
    <${PageHead} title=${name} crumb=${crumb}>
      <${CopyButton} text=${() => curlOf(org, job)} label="Copy as curl" small=${false} />
      ${writes && retryable(status) && html`<${RetryButton} org=${org} job=${job} />`}
      ${writes && open && html`<button class="button danger" onClick=${() => cancel(path, name, reload)}><${Icon} name="close" />Cancel</button>`}
    <//>
    <div class="job-state">
      <${StatusChip} status=${status} />
      ${open && html`<${Channel} value=${job.progress} label="Progress" kind=${job.waiting ? "warn" : ""} /><span class="nowrap">${job.progress} %</span>`}
      ${open && html`<span class="soft nowrap">${stageOf(job)}</span>`}
    </div>
    <${Trouble} org=${org} job=${job} status=${status} />
    <div class="job-columns">
      <div class="stack">
        ${(status === "completed" || (open && job.playable_at)) && html`<${PlayerPanel} org=${org} job=${job} />`}
        <${TimelinePanel} path=${path} turn=${`${turn} ${status}`} />
        ${job.outputs && html`<${Renditions} outputs=${job.outputs} length=${job.video_duration} />`}
      </div>
      <div class="stack">
        <${Facts} org=${org} job=${job} />
        ${job.outputs?.compliance && html`<${Compliance} found=${job.outputs.compliance} />`}
        ${job.warnings.length > 0 &&
        html`<${Panel} title="Warnings"><div class="stack tight">${job.warnings.map(one => html`<${Notice} kind="warn" key=${one.code}><p>${one.message}</p><p class="small soft mono">${one.code}</p><//>`)}</div><//>`}
        <details class="panel raw"><summary>JSON</summary><div class="body"><${Code} text=${JSON.stringify(job, null, 2)} label="JSON" /></div></details>
      </div>
    </div>`;
}

const STAGES = { queued: "waits for its turn", fetching: "fetching the source", transcoding: "encoding", uploading: "writing the output", done: "done" };

function stageOf(job) {
  if (job.queue_position > 1000) return "far back in the queue";
  return job.queue_position ? `place ${job.queue_position} in the queue` : STAGES[job.stage];
}

async function cancel(path, name, reload) {
  const sure = await confirm({ title: `Cancel ${name}?`, text: html`<p>What it has made so far is not kept for players. A cancelled job can be retried.</p>`, action: "Cancel the job", danger: true });
  if (sure && (await attempt(() => call("DELETE", path), answer => answer.message))) reload();
}
