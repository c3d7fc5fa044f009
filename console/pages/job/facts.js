import { html } from "../../lib/html.js";
import { between, filmLength, instant, lasting, plural } from "../../lib/format.js";
import { CopyButton, Panel } from "../../components/basics.js";
import { Icon } from "../../components/icon.js";

const ENCRYPTIONS = { none: "none", cbcs: "cbcs, for DRM", "aes-128": "AES-128, whole segments" };
const WITHOUT_QUERY = /\?.*$/;

/** @param {{org: string, job: any}} props */
export function Facts({ org, job }) {
  const link = id => html`<a class="mono" href="/console/${org}/jobs/${id}">${id}</a>`;
  const rows = [
    ["Id", html`<span class="row"><span class="mono">${job.id}</span><${CopyButton} text=${job.id} label="Copy the id" quiet bare /></span>`],
    ["Source", html`<span class="mono">${job.input_url.startsWith("s3:") ? job.input_url.replace(WITHOUT_QUERY, "") : job.input_url}</span>`],
    ["Output", html`<span class="mono">${job.output_path.replace(WITHOUT_QUERY, "")}</span>`],
    ["Length", filmLength(job.video_duration)],
    ["Resolutions", job.resolutions.join(", ")],
    ["Profile", job.profile],
    ["Priority", job.priority],
    ["Encryption", html`${job.encryption !== "none" && html`<${Icon} name="lock" /> `}${ENCRYPTIONS[job.encryption]}${job.drm_content_id && html`<br /><span class="soft mono small">content ${job.drm_content_id}</span>`}`],
    ["Created", instant(job.created)],
    ["Started", instant(job.start_time)],
    ["Ended", job.end_time && job.start_time ? html`${instant(job.end_time)}<br /><span class="soft small">after ${lasting(between(job.start_time, job.end_time))} of work</span>` : instant(job.end_time)],
    job.retry_of && ["Retry of", link(job.retry_of)],
    job.retried_by && ["Retried by", link(job.retried_by)],
  ].filter(Boolean);
  const metadata = Object.entries(job.client_metadata ?? {});
  return html`<${Panel} title="Details">
    <dl class="facts">${rows.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>
    ${metadata.length > 0 &&
    html`<h3 class="facts-more">Metadata <span class="soft small">${plural(metadata.length, "member")}</span></h3>
      <dl class="facts">${metadata.map(([name, value]) => html`<dt key=${name} class="mono break">${name}</dt><dd class="mono">${typeof value === "string" ? value : JSON.stringify(value)}</dd>`)}</dl>`}
  <//>`;
}
