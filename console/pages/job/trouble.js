// Why a job waits, why it failed, and what to do about it.
import { html } from "../../lib/html.js";
import { ERRORS } from "../../lib/errors.js";
import { between, instant, lasting } from "../../lib/format.js";
import { Code, Notice } from "../../components/basics.js";

/** @param {{org: string, job: any, status: string}} props */
export function Trouble({ org, job, status }) {
  if (job.waiting) return html`<${Waits} waiting=${job.waiting} />`;
  if (status === "error") return html`<${FailedJob} job=${job} />`;
  if (status === "cancelled")
    return html`<${Notice} kind="info"><p>The job was cancelled ${job.end_time && html`on ${instant(job.end_time)}`}. ${job.retried_by ? html`It runs again as <a href="/console/${org}/jobs/${job.retried_by}">${job.retried_by}</a>.` : "A retry goes on with what it had done, if that is still there."}</p><//>`;
  return null;
}

const Waits = ({ waiting }) =>
  html`<${Notice} kind="warn" role="status">
    <p><strong>Waiting:</strong> ${waiting.message}</p>
    <p class="small">The ${waiting.service} tries again by itself. It has waited for ${lasting(between(waiting.since, null))} and gives up on ${instant(waiting.until)}, with <code>${waiting.code}</code>.</p>
  <//>`;

function FailedJob({ job }) {
  const row = ERRORS[job.error_code];
  return html`<${Notice} kind="bad">
    <p><strong>${job.error_message}</strong></p>
    <p>${remedy(row)} <span class="soft mono small">${job.error_code}</span></p>
    ${job.error_detail && html`<details><summary class="small">What exactly happened</summary><${Code} text=${job.error_detail} label="the details" wrap /></details>`}
  <//>`;
}

function remedy(row) {
  if (!row) return "";
  if (row.who === "operator") return "Only the operator of this server can mend it; the message that was given up on is kept among the dead letters.";
  return row.retryable ? "A retry may help, at once or after doing what is said above." : "A retry of the same source will end the same way: change the source or the request.";
}
