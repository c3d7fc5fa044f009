// A new job: a video from this computer, from an address or from a bucket.
import { html, useRef, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { navigate } from "../lib/router.js";
import { may } from "../lib/session.js";
import { Notice, PageHead, Panel } from "../components/basics.js";
import { Field, FormError, Pills, useSending, Wrong } from "../components/form.js";
import { Icon } from "../components/icon.js";
import { toast } from "../components/toast.js";
import { FilePicker } from "./new_job/file_picker.js";
import { bodyOf, LADDERS, RESOLUTIONS, startOf, suggestedOutput } from "./new_job/request.js";

const SOURCES = [["file", "Upload", "upload"], ["url", "Address", "link"], ["s3", "Bucket", "bucket"]];
const SHOWN = ["input_url", "input_path", "output_path", "resolutions", "client_metadata", "priority", "profile", "encryption", "early_playback"];
const KEPT = "millrace.output";

/** @param {{org: string}} props */
export default function NewJobPage({ org }) {
  const [form, setForm] = useState(() => startOf(localStorage.getItem(`${KEPT}.${org}`)));
  const [upload, setUpload] = useState(null);
  // Sent again after the answer was lost, the same form makes the same job.
  const key = useRef(crypto.randomUUID());
  const change = (name, value) => {
    key.current = crypto.randomUUID();
    setForm(old => ({ ...old, [name]: value }));
  };
  const { busy, error, fields, submit } = useSending(async () => {
    const job = await post(`v1/${org}/transcoding_jobs/`, bodyOf(form, upload), { headers: { "Idempotency-Key": key.current } });
    // Credentials have no business in a browser's storage.
    if (!form.output.includes("?")) localStorage.setItem(`${KEPT}.${org}`, form.output.replace(/[^/]+\/?$/, ""));
    toast(html`Job <span class="mono">${job.id}</span> created.`);
    navigate(`/console/${org}/jobs/${job.id}`);
  });
  const crumb = { href: `/console/${org}/jobs`, text: "Jobs" };
  if (!may(org, "member")) return html`<${PageHead} title="New job" crumb=${crumb} /><${Notice}><p>Creating jobs takes the role member in this organization. An admin can give it to you.</p><//>`;

  const source = { file: upload?.input_url ?? "", s3: form.s3, url: form.url }[form.source];
  const suggestion = form.output ? "" : suggestedOutput(source, form.folder);
  const ready = form.source !== "file" || upload;
  return html`
    <${PageHead} title="New job" crumb=${crumb} />
    <form class="new-job stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${SHOWN} />
      <${Panel} title="Source">
        <div class="stack">
          <div class="tabs" role="tablist" aria-label="Where the video is">
            ${SOURCES.map(
              ([name, text, icon]) => html`<button key=${name} type="button" role="tab" id="tab-${name}" aria-controls="source" aria-selected=${form.source === name ? "true" : "false"} tabindex=${form.source === name ? 0 : -1} onClick=${() => change("source", name)} onKeyDown=${event => tabKeys(event, name, next => change("source", next))}><${Icon} name=${icon} />${text}</button>`,
            )}
          </div>
          <div id="source" role="tabpanel" aria-labelledby="tab-${form.source}">
            ${form.source === "file" && html`<${FilePicker} org=${org} upload=${upload} onUpload=${setUpload} /><${Wrong} messages=${fields.input_url} />`}
            ${form.source === "url" && html`<${Field} label="Address" type="url" inputmode="url" placeholder="https://example.com/video.mp4" autocomplete="off" spellcheck=${false} value=${form.url} onInput=${value => change("url", value)} messages=${fields.input_url} hint="http or https; signed addresses are fine, their signatures are never shown again" />`}
            ${form.source === "s3" && html`<${Field} label="Place in a bucket" placeholder="s3://bucket/video.mp4" autocomplete="off" spellcheck=${false} value=${form.s3} onInput=${value => change("s3", value)} messages=${fields.input_path ?? fields.input_url} hint=${html`Without credentials, those of the organization's storage are used. Others: <code>?access_key=…&secret_key=…&region=…&endpoint=…</code>`} />`}
          </div>
        </div>
      <//>
      <${Panel} title="Output">
        <div class="stack">
          <${Field} label="Place in a bucket" placeholder=${suggestion || "s3://bucket/streams/video/"} autocomplete="off" spellcheck=${false} value=${form.output} onInput=${value => change("output", value)} messages=${fields.output_path} hint=${html`The playlist becomes <code>video.m3u8</code> below it. No other unfinished job may write there.`} />
          ${suggestion && html`<p><button type="button" class="button small" onClick=${() => change("output", suggestion)}>Use <span class="mono">${suggestion}</span></button></p>`}
          <div class="stack tight">
            <${Pills} legend="Resolutions" options=${RESOLUTIONS} value=${form.resolutions} onChange=${value => change("resolutions", value)} messages=${fields.resolutions} hint="What is above the source's own size is left out, with a warning." />
            <div class="row" role="group" aria-label="Ladders">${LADDERS.map(([name, resolutions]) => html`<button key=${name} type="button" class="button small quiet" onClick=${() => change("resolutions", resolutions)}>${name}</button>`)}</div>
          </div>
          <${Pills} legend="Profile" single options=${[["fast", "fast"], ["balanced", "balanced"], ["quality", "quality"]]} value=${[form.profile]} onChange=${([value]) => change("profile", value)} messages=${fields.profile} hint="Trades encoding time against size and quality." />
        </div>
      <//>
      <details class="panel more-options" open=${Boolean(fields.client_metadata || fields.priority || fields.encryption || fields.early_playback)}>
        <summary>More options</summary>
        <div class="body stack">
          <${Pills} legend="Priority among the organization's jobs" single options=${[["low", "low"], ["normal", "normal"], ["high", "high"]]} value=${[form.priority]} onChange=${([value]) => change("priority", value)} messages=${fields.priority} />
          <${Pills} legend="Encryption" single options=${[["none", "none"], ["aes-128", "AES-128"], ["cbcs", "cbcs, for DRM"]]} value=${[form.encryption]} onChange=${([value]) => change("encryption", value)} messages=${fields.encryption ?? fields.drm} />
          <div class="field">
            <label class="choice"><input type="checkbox" checked=${form.early} onChange=${event => change("early", event.target.checked)} />Can be played while it is made</label>
            <${Wrong} messages=${fields.early_playback} />
          </div>
          <${Field} kind="area" label="Metadata" placeholder='{"course": "autumn"}' spellcheck=${false} value=${form.metadata} onInput=${value => change("metadata", value)} messages=${fields.client_metadata} hint="A JSON object up to 10 kB, which comes back exactly as it is, here and in webhooks." />
        </div>
      </details>
      <div class="row actions">
        <button class="button main" disabled=${busy || !ready}>${busy ? "Creating …" : "Create the job"}</button>
        <a class="button" href="/console/${org}/jobs">Back</a>
        ${!ready && html`<span class="soft small">Once the file is uploaded.</span>`}
      </div>
    </form>`;
}

/** The arrows go from tab to tab. */
function tabKeys(event, name, choose) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const names = SOURCES.map(([one]) => one);
  const next = names[(names.indexOf(name) + step + names.length) % names.length];
  choose(next);
  requestAnimationFrame(() => document.getElementById(`tab-${next}`)?.focus());
}
