import { html } from "../../lib/html.js";
import { between, filmLength, lasting, plural, source } from "../../lib/format.js";
import { Channel, StatusChip, When } from "../../components/basics.js";
import { Icon } from "../../components/icon.js";

/** @param {{org: string, job: any, ticked: boolean, tick: ((id: string) => void) | null}} props */
export function JobRow({ org, job, ticked, tick }) {
  const { name, where } = source(job.input_url);
  return html`<tr data-job=${job.id} class=${ticked ? "ticked" : ""}>
    ${tick && html`<td class="tick"><input type="checkbox" aria-label="Select ${name}, ${job.id}" checked=${ticked} onChange=${() => tick(job.id)} /></td>`}
    <td class="state"><${StatusChip} status=${job.status} /><${State} job=${job} /></td>
    <td class="what">
      <a class="job clip" href="/console/${org}/jobs/${job.id}" title=${job.input_url}>${name}</a>
      <span class="soft small clip"><span class="mono">${job.id}</span>${where && html` · ${where}`}</span>
      ${job.error_message && html`<span class="small clip reason" title=${job.error_message}>${job.error_message}</span>`}
      ${job.waiting && html`<span class="small clip waiting"><${Icon} name="clock" /> ${job.waiting.message}</span>`}
    </td>
    <td class="wide small">${job.resolutions.join(" ")}${job.encryption !== "none" && html` <${Icon} name="lock" title="encrypted: ${job.encryption}" />`}</td>
    <td class="right wide">${filmLength(job.video_duration)}</td>
    <td class="right nowrap when"><${When} value=${job.created} /></td>
  </tr>`;
}

/** What there is to say of a status. */
function State({ job }) {
  switch (job.status) {
    case "transcoding":
      return html`<span class="live"><${Channel} value=${job.progress} label="Progress of ${job.id}" kind=${job.waiting ? "warn" : ""} /><span class="small soft nowrap">${job.progress} % · ${job.stage}</span></span>`;
    case "queued":
      return job.queue_position ? html`<span class="small soft">${job.queue_position > 1000 ? "far back in the queue" : `place ${job.queue_position}`}</span>` : null;
    case "completed":
      return html`<span class="small soft nowrap">in ${lasting(between(job.start_time, job.end_time))}${job.warnings.length > 0 && html` · ${plural(job.warnings.length, "warning")}`}</span>`;
    case "error":
      return html`<span class="small soft clip mono">${job.error_code}</span>`;
    default:
      return null;
  }
}
