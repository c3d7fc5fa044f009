import { html, useState } from "../../lib/html.js";
import { call, get } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { may } from "../../lib/session.js";
import { Failed, Notice, Panel, Waiting } from "../../components/basics.js";
import { confirm } from "../../components/dialog.js";
import { Field, FormError, useSending } from "../../components/form.js";
import { attempt, toast } from "../../components/toast.js";

/** The bucket whose credentials are used where a job brings none. @param {{org: string}} props */
export function Storage({ org }) {
  const path = `v1/${org}/storage/`;
  const { data, error, reload, change } = useLoad(path, signal => get(path, { signal }));
  const admin = may(org, "admin");
  const remove = async () => {
    const sure = await confirm({ title: "Forget the storage?", text: "Jobs, uploads and playback that rely on it then have to bring credentials of their own.", action: "Forget the storage", danger: true });
    if (sure && (await attempt(() => call("DELETE", path), "The storage was forgotten."))) reload();
  };
  if (error) return html`<${Failed} error=${error} again=${reload} />`;
  if (!data) return html`<${Waiting} what="Loading the storage" />`;
  return html`<div class="stack account">
    <${Panel} title="Storage" actions=${admin && data.url && html`<button class="button small danger" onClick=${remove}>Forget</button>`}>
      ${data.url ? html`<p class="mono break">${data.url}</p>` : html`<p class="soft">None yet: each job brings its own credentials, and there are no uploads.</p>`}
      <p class="soft small">Its credentials are used for uploads, for playing, and for jobs whose addresses have none. They are kept sealed and never shown.</p>
    <//>
    ${admin ? html`<${Change} path=${path} done=${answer => (change(() => answer), toast("The storage was set."))} />` : html`<${Notice}><p>Changing it takes the role admin.</p><//>`}
  </div>`;
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
      <${Field} label="Address with credentials" value=${url} onInput=${setUrl} messages=${fields.url} autocomplete="off" spellcheck="false" placeholder="s3://bucket/?access_key=…&secret_key=…&region=…" hint=${html`Another service than AWS: <code>&endpoint=https://…</code>. For uploads from a browser, the bucket has to allow PUT from <code>${location.origin}</code> (CORS).`} />
      <div><button class="button main" disabled=${busy || !url.trim()}>Set the storage</button></div>
    </form>
  <//>`;
}
