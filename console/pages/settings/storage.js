import { html, useState } from "../../lib/html.js";
import { call, get, post } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { may } from "../../lib/session.js";
import { Failed, Notice, Panel, Waiting } from "../../components/basics.js";
import { Dialog } from "../../components/dialog.js";
import { Field, FormError, useSending } from "../../components/form.js";
import { attempt, toast } from "../../components/toast.js";

/** The bucket whose credentials are used where a job brings none. @param {{org: string}} props */
export function Storage({ org }) {
  const path = `v1/${org}/storage/`;
  const { data, error, reload, change } = useLoad(path, signal => get(path, { signal }));
  const admin = may(org, "admin");
  if (error) return html`<${Failed} error=${error} again=${reload} />`;
  if (!data) return html`<${Waiting} what="Loading the storage" />`;
  return html`<div class="stack account">
    <${Panel} title="Storage" actions=${admin && data.configured && html`<${Trial} path="${path}test/" />`}>
      ${data.configured
        ? html`<dl class="facts"><dt>Place</dt><dd class="mono">${data.location}</dd><dt>Service</dt><dd class="mono">${data.endpoint ?? "AWS"}</dd><dt>Region</dt><dd class="mono">${data.region ?? "–"}</dd><dt>Access key</dt><dd class="mono">${data.access_key}</dd></dl>`
        : html`<p class="soft">None yet: each job brings its own credentials, and there are no uploads.</p>`}
      <p class="soft small facts-more">Its credentials are used for uploads, for playing, and for jobs whose addresses have none. They are kept sealed, and the secret key is never shown.</p>
    <//>
    ${admin ? html`<${Change} path=${path} done=${answer => (change(() => answer), toast("The storage was set."))} />` : html`<${Notice}><p>Changing it takes the role admin.</p><//>`}
  </div>`;
}

/** Writes, reads and removes an object. */
function Trial({ path }) {
  const [state, setState] = useState({ busy: false, found: null });
  const run = async () => {
    setState({ busy: true, found: null });
    let found = null;
    await attempt(async () => {
      found = await post(path, {});
    });
    setState({ busy: false, found });
  };
  return html`<button class="button small" disabled=${state.busy} onClick=${run}>${state.busy ? "Trying …" : "Try it"}</button>
    ${state.found &&
    html`<${Dialog} title=${state.found.ok ? "The storage works" : "The storage does not work"} onClose=${() => setState({ busy: false, found: null })}>
      ${state.found.steps.map(step => html`<${Notice} key=${step.name} kind=${step.ok ? "good" : "bad"}><p><strong>${step.name}</strong> ${step.message ?? "went well"}</p><//>`)}
      <div class="actions"><button class="button" onClick=${() => setState({ busy: false, found: null })}>Close</button></div>
    <//>`}`;
}

function Change({ path, done }) {
  const [url, setUrl] = useState("");
  const { busy, error, fields, submit } = useSending(async () => {
    done(await call("PUT", path, { body: { url: url.trim() } }));
    setUrl("");
  });
  return html`<${Panel} title="Set another">
    <form class="stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${["url"]} />
      <${Field} label="Address with credentials" value=${url} onInput=${setUrl} messages=${fields.url} autocomplete="off" spellcheck=${false} placeholder="s3://bucket/?access_key=…&secret_key=…&region=…" hint=${html`Another service than AWS: <code>&endpoint=https://…</code>. For uploads from a browser, the bucket has to allow PUT from <code>${location.origin}</code> (CORS).`} />
      <div><button class="button main" disabled=${busy || !url.trim()}>Set the storage</button></div>
    </form>
  <//>`;
}
