import { html, useState } from "../../lib/html.js";
import { call } from "../../lib/api.js";
import { keysOn, switchKeys } from "../../lib/keys.js";
import { session } from "../../lib/session.js";
import { useStore } from "../../lib/store.js";
import { instant } from "../../lib/format.js";
import { Notice, Panel } from "../../components/basics.js";
import { Field, FormError, useSending } from "../../components/form.js";
import { toast } from "../../components/toast.js";

/** Oneself: the session, the password, the keys. */
export function Account() {
  const mine = useStore(session);
  return html`<div class="stack account">
    <${Panel} title="Session">
      <dl class="facts">
        <dt>User</dt><dd>${mine?.username ?? "none: signed in with a token"}${mine?.operator && html` <span class="chip plain">operator</span>`}</dd>
        <dt>Organizations</dt><dd>${mine?.organizations.map(one => html`<div key=${one.id}>${one.name} <span class="soft">(${one.role})</span></div>`)}</dd>
        <dt>Ends</dt><dd>${instant(mine?.expires)} without a further request, ${instant(mine?.ends)} at the latest</dd>
      </dl>
    <//>
    ${mine?.username && html`<${Password} username=${mine.username} />`}
    <${Panel} title="Keys"><label class="choice"><input type="checkbox" checked=${useStore(keysOn)} onChange=${event => switchKeys(event.target.checked)} />On the page of jobs, single keys move, select, search and more</label><//>
  </div>`;
}

function Password({ username }) {
  const [form, setForm] = useState({ password: "", new_password: "" });
  const set = (name, value) => setForm(old => ({ ...old, [name]: value }));
  const { busy, error, fields, submit } = useSending(async () => {
    await call("PUT", "v1/auth/password/", { body: form });
    setForm({ password: "", new_password: "" });
    toast("The password was changed.");
  });
  return html`<${Panel} title="Password">
    <form class="stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${["password", "new_password"]} />
      <input type="text" name="username" autocomplete="username" value=${username} hidden readonly />
      <${Field} label="Present password" type="password" autocomplete="current-password" value=${form.password} onInput=${value => set("password", value)} messages=${fields.password} />
      <${Field} label="New password" type="password" autocomplete="new-password" value=${form.new_password} onInput=${value => set("new_password", value)} messages=${fields.new_password} hint="At least 12 characters." />
      <${Notice}><p class="small">Your other sessions end, and so do tokens from logins.</p><//>
      <div><button class="button main" disabled=${busy}>Change the password</button></div>
    </form>
  <//>`;
}
