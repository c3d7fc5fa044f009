// One webhook: its address and secret, and every attempt to deliver to it.
import { html, useState } from "../lib/html.js";
import { call, get, post } from "../lib/api.js";
import { instant } from "../lib/format.js";
import { useLoad } from "../lib/load.js";
import { navigate } from "../lib/router.js";
import { may } from "../lib/session.js";
import { CopyButton, Failed, Notice, PageHead, Panel, Waiting } from "../components/basics.js";
import { confirm, Dialog } from "../components/dialog.js";
import { DialogActions, Field, FormError, Pills, useSending } from "../components/form.js";
import { Icon } from "../components/icon.js";
import { attempt, toast } from "../components/toast.js";
import { Deliveries } from "./webhooks/deliveries.js";

/** @param {{org: string, hook: string}} props */
export default function WebhookPage({ org, hook: id }) {
  const path = `v1/${org}/webhooks/${id}/`;
  const { data: hook, error, reload, change } = useLoad(path, signal => get(path, { signal }));
  const [dialog, setDialog] = useState(null);
  const [turn, setTurn] = useState(0);
  const crumb = { href: `/console/${org}/webhooks`, text: "Webhooks" };
  const host = hook ? new URL(hook.url).host : "Webhook";
  const close = () => setDialog(null);
  const test = () => attempt(() => post(`${path}test/`), "A test is on its way.").then(done => done && setTurn(number => number + 1));
  const remove = async () => {
    const sure = await confirm({ title: "Remove the webhook?", text: html`<p class="break">Nothing more is sent to <span class="mono">${hook.url}</span>, and what is still to be delivered is dropped.</p>`, action: "Remove the webhook", danger: true });
    if (sure && (await attempt(() => call("DELETE", path), "The webhook was removed."))) navigate(crumb.href);
  };
  return html`
    <${PageHead} title=${host} crumb=${crumb}>
      ${hook && may(org, "member") && html`<button class="button main" onClick=${test}><${Icon} name="bolt" />Send a test</button><button class="button" onClick=${() => setDialog("edit")}>Change</button><button class="button danger" onClick=${remove}><${Icon} name="trash" />Remove</button>`}
    <//>
    ${!hook && (error ? html`<${Failed} error=${error} again=${reload} />` : html`<${Waiting} what="Loading the webhook" />`)}
    ${hook &&
    html`<${Panel} title="Address and secret">
      <dl class="facts">
        <dt>Address</dt><dd class="mono">${hook.url}</dd>
        <dt>Secret token</dt><dd><${Secret} hook=${hook} rotate=${may(org, "member") ? () => setDialog("rotate") : null} /></dd>
        ${hook.previous_secret_expires_at && html`<dt>The one before</dt><dd>signs beside it until ${instant(hook.previous_secret_expires_at)}</dd>`}
        <dt>How to check</dt><dd>Compare <code>x-streams-token</code>, or check <code>webhook-signature</code> as Standard Webhooks has it, which also tells an old message sent once more.</dd>
      </dl>
    <//>`}
    ${hook && html`<${Deliveries} org=${org} path="${path}deliveries/" turn=${turn} writes=${may(org, "member")} />`}
    ${dialog === "edit" && html`<${Edit} path=${path} hook=${hook} close=${close} done=${changed => (change(() => changed), close(), toast("The webhook was changed."))} />`}
    ${dialog === "rotate" && html`<${Rotate} path=${path} close=${close} done=${changed => (change(() => changed), close(), toast("The webhook has a new secret."))} />`}
  `;
}

function Secret({ hook, rotate }) {
  const [shown, show] = useState(false);
  return html`<span class="row"><span class="mono break">${shown ? hook.secret_token : "••••••••••••••••"}</span>
    <button class="button small quiet" aria-pressed=${shown ? "true" : "false"} onClick=${() => show(!shown)}>${shown ? "Hide" : "Show"}</button><${CopyButton} text=${hook.secret_token} label="Copy the secret" quiet bare />${rotate && html`<button class="button small" onClick=${rotate}><${Icon} name="key" />Rotate</button>`}</span>`;
}

function Edit({ path, hook, close, done }) {
  const [url, setUrl] = useState(hook.url);
  const { busy, error, fields, submit } = useSending(async () => done(await call("PUT", path, { body: { url: url.trim() } })));
  return html`<${Dialog} title="Change the webhook" onClose=${close}>
    <form class="stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${["url"]} />
      <${Field} label="Address" type="url" value=${url} onInput=${setUrl} messages=${fields.url} hint="The secret stays." />
      <${DialogActions} action="Change" busy=${busy} close=${close} />
    </form>
  <//>`;
}

const OVERLAPS = [["86400", "a day"], ["3600", "an hour"], ["0", "not at all: it has leaked"]];

function Rotate({ path, close, done }) {
  const [overlap, setOverlap] = useState("86400");
  const { busy, error, submit } = useSending(async () => done(await post(`${path}rotate/`, { overlap_seconds: Number(overlap) })));
  return html`<${Dialog} title="Rotate the secret" onClose=${close}>
    <form class="stack" onSubmit=${submit}>
      <${FormError} error=${error} />
      <${Pills} legend="The present secret goes on signing for" single options=${OVERLAPS} value=${[overlap]} onChange=${([value]) => setOverlap(value)} />
      <${Notice}><p>A receiver that compares <code>x-streams-token</code> sees the new secret at once.</p><//>
      <${DialogActions} action="Rotate" busy=${busy} close=${close} />
    </form>
  <//>`;
}
