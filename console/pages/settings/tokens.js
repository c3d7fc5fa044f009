import { html, useState } from "../../lib/html.js";
import { call, get, post } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { usePage } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { Code, Empty, Failed, Notice, Panel, TableBox, Waiting, When } from "../../components/basics.js";
import { confirm, Dialog } from "../../components/dialog.js";
import { DialogActions, Field, FormError, Pills, useSending } from "../../components/form.js";
import { Icon } from "../../components/icon.js";
import { Pager } from "../../components/pager.js";
import { attempt } from "../../components/toast.js";
import { ROLES } from "./members.js";

const SIZE = 50;

/** What programs log in with. @param {{org: string}} props */
export function Tokens({ org }) {
  const page = usePage();
  const path = `v1/${org}/tokens/`;
  const { data, error, reload } = useLoad(`${path} ${page}`, signal => get(path, { signal, query: { page, page_size: SIZE } }));
  const [adding, setAdding] = useState(false);
  const revoke = async token => {
    const sure = await confirm({ title: "Revoke the token?", text: html`<p><strong>${token.name || "A token without a name"}</strong> stops working at once, and nobody can undo that.</p>`, action: "Revoke the token", danger: true });
    if (sure && (await attempt(() => call("DELETE", `${path}${token.id}/`), "The token was revoked."))) reload();
  };
  const close = () => {
    setAdding(false);
    reload();
  };
  if (error) return html`<${Failed} error=${error} again=${reload} />`;
  return html`
    <${Panel} title="Tokens" bare actions=${may(org, "admin") && html`<button class="button small" onClick=${() => setAdding(true)}><${Icon} name="plus" />New token</button>`}>
      ${!data && html`<div class="body"><${Waiting} what="Loading the tokens" /></div>`}
      ${data && !data.results.length && html`<${Empty} icon="key" title="No tokens">Programs log in with tokens.<//>`}
      ${data?.results.length > 0 && html`<${TableBox}><table class="cards">
        <thead><tr><th>Name</th><th>Of</th><th>Role</th><th class="right">Created</th><th class="right">Ends</th><th><span class="unseen">Actions</span></th></tr></thead>
        <tbody>${data.results.map(
          one => html`<tr key=${one.id}>
            <td><strong>${one.name || "without a name"}</strong>${one.current && html` <span class="chip plain">this one</span>`}</td>
            <td data-label="Of">${one.username ?? "no user"}</td>
            <td data-label="Role">${one.role}</td>
            <td data-label="Created" class="right nowrap"><${When} value=${one.created} /></td>
            <td data-label="Ends" class="right nowrap"><${When} value=${one.expiry} /></td>
            <td class="right"><button class="button small danger" onClick=${() => revoke(one)} aria-label="Revoke ${one.name || one.id}">Revoke</button></td>
          </tr>`,
        )}</tbody>
      </table><//><footer><${Pager} page=${page} size=${SIZE} total=${data.count} /></footer>`}
    <//>
    ${adding && html`<${NewToken} org=${org} path=${path} close=${close} />`}
  `;
}

const DAYS = [["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["3650", "ten years"]];

function NewToken({ org, path, close }) {
  const [form, setForm] = useState({ name: "", role: "member", days: "365" });
  const [made, setMade] = useState(null);
  const set = (name, value) => setForm(old => ({ ...old, [name]: value }));
  const { busy, error, fields, submit } = useSending(async () => setMade(await post(path, { name: form.name, role: form.role, days: Number(form.days) })));
  if (made)
    return html`<${Dialog} title="The new token" onClose=${close}>
      <${Notice} kind="warn"><p>It is shown this once. Keep it where your program finds it.</p><//>
      <${Code} text=${made.token} label="the token" wrap />
      <div class="actions"><button class="button main" onClick=${close}>Done</button></div>
    <//>`;
  return html`<${Dialog} title="New token" onClose=${close}>
    <form class="stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${["name", "role", "days"]} />
      <${Field} label="Name" placeholder="build server" value=${form.name} onInput=${value => set("name", value)} messages=${fields.name} />
      <${Pills} legend="Role" single options=${ROLES.filter(([name]) => may(org, name))} value=${[form.role]} onChange=${([value]) => set("role", value)} messages=${fields.role} />
      <${Pills} legend="Lives for" single options=${DAYS} value=${[form.days]} onChange=${([value]) => set("days", value)} messages=${fields.days} />
      <${DialogActions} action="Create" busy=${busy} close=${close} />
    </form>
  <//>`;
}
