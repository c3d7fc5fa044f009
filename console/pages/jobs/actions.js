// What is done to several jobs at once.
import { html } from "../../lib/html.js";
import { ApiError, post } from "../../lib/api.js";
import { plural, retryable, source } from "../../lib/format.js";
import { confirm } from "../../components/dialog.js";
import { attempt, toast } from "../../components/toast.js";

const names = jobs => html`<ul>${jobs.slice(0, 5).map(job => html`<li key=${job.id}>${source(job.input_url).name} <span class="soft mono">${job.id}</span></li>`)}${jobs.length > 5 && html`<li>and ${jobs.length - 5} more</li>`}</ul>`;

/** Ask, and cancel those that have not ended. Returns whether it was done. */
export async function cancelJobs(org, jobs) {
  const open = jobs.filter(job => !job.end_time);
  if (!open.length) return false;
  const sure = await confirm({ title: `Cancel ${plural(open.length, "job")}?`, text: html`${names(open)}<p class="soft">What they have made so far is not kept for players. A cancelled job can be retried.</p>`, action: `Cancel ${plural(open.length, "job")}`, danger: true });
  if (!sure) return false;
  return attempt(
    () => post(`v1/${org}/transcoding_jobs/batch/cancel/`, { ids: open.map(job => job.id) }),
    answer => `${plural(answer.results.filter(one => one.message).length, "job")} cancelled.`,
  );
}

/** Retry those that ended without success, one after the other, and say which could not be. Returns whether any was. */
export async function retryJobs(org, jobs) {
  const ended = jobs.filter(job => retryable(job.status));
  const refused = [];
  for (const job of ended) {
    try {
      await post(`v1/${org}/transcoding_jobs/${job.id}/retry/`, {});
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refused.push([job, error]);
    }
  }
  const done = ended.length - refused.length;
  if (done) toast(`${plural(done, "job")} sent again.`);
  for (const [job, error] of refused.slice(0, 3)) toast(html`<strong>${source(job.input_url).name}</strong>: ${error.message} <a href="/console/${org}/jobs/${job.id}">Open the job</a>`, "bad");
  return done > 0;
}
