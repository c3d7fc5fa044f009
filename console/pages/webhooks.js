// The webhooks of an organization, and how their last deliveries went.
import { html, useState } from "../lib/html.js";
import { get, post } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { navigate, usePage } from "../lib/router.js";
import { may } from "../lib/session.js";
import { Empty, Failed, PageHead, Waiting } from "../components/basics.js";
import { Dialog } from "../components/dialog.js";
import { DialogActions, Field, FormError, useSending } from "../components/form.js";
import { Icon } from "../components/icon.js";
import { Pager } from "../components/pager.js";
import { Health } from "./webhooks/outcome.js";

const SIZE = 20;

/** @param {{org: string}} props */
export default function WebhooksPage({ org }) {
  const page = usePage();
  const path = `v1/${org}/webhooks/`;
  const { data, error, reload } = useLoad(`${path} ${page}`, signal => get(path, { signal, query: { page, page_size: SIZE } }));
  const [adding, setAdding] = useState(false);
  const writes = may(org, "member");
  const add = writes && html`<button class="button main" onClick=${() => setAdding(true)}><${Icon} name="plus" />New webhook</button>`;
  return html`
    <${PageHead} title="Webhooks">${data?.results.length > 0 && add}<//>
    <p class="soft">Each change of a job's status is POSTed to every webhook, signed, and tried again for a day where it does not arrive.</p>
    ${error && html`<${Failed} error=${error} again=${reload} />`}
    <section class="panel" aria-label="Webhooks">
      ${!data && !error && html`<div class="body"><${Waiting} what="Loading the webhooks" /></div>`}
      ${data && !data.results.length && html`<${Empty} icon="webhooks" title="No webhooks yet"><p>Have your server told when a job is done, instead of asking.</p>${add && html`<p>${add}</p>`}<//>`}
      ${data?.results.length > 0 &&
      html`<ul role="list" class="hooks">${data.results.map(
        hook => html`<li key=${hook.id}><a class="clip mono" href="/console/${org}/webhooks/${hook.id}">${hook.url}</a><${Last} path="${path}${hook.id}/deliveries/" /></li>`,
      )}</ul>`}
    </section>
    ${data && html`<${Pager} page=${page} size=${SIZE} total=${data.count} />`}
    ${adding && html`<${NewWebhook} path=${path} close=${() => setAdding(false)} done=${hook => navigate(`/console/${org}/webhooks/${hook.id}`)} />`}
  `;
}

/** The last deliveries of a webhook at a glance. */
function Last({ path }) {
  const { data } = useLoad(path, signal => get(path, { signal, query: { page_size: 10 } }));
  return data ? html`<${Health} deliveries=${data.results} />` : null;
}

function NewWebhook({ path, close, done }) {
  const [url, setUrl] = useState("");
  const [secret, setSecret] = useState("");
  const { busy, error, fields, submit } = useSending(async () => done(await post(path, { url: url.trim(), ...(secret ? { secret_token: secret } : {}) })));
  return html`<${Dialog} title="New webhook" onClose=${close}>
    <form class="stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${["url", "secret_token"]} />
      <${Field} label="Address" type="url" placeholder="https://example.com/hooks/transcoding" value=${url} onInput=${setUrl} messages=${fields.url} autofocus />
      <${Field} label="Secret token" value=${secret} onInput=${setSecret} messages=${fields.secret_token} hint="Signs what is sent. Left empty, the server makes a good one." autocomplete="off" spellcheck=${false} />
      <${DialogActions} action="Create" busy=${busy} close=${close} />
    </form>
  <//>`;
}
