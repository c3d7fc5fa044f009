import { html, useState } from "../../lib/html.js";
import { call, get, post } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { usePage } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { Failed, Notice, Panel, TableBox, Waiting } from "../../components/basics.js";
import { confirm, Dialog } from "../../components/dialog.js";
import { DialogActions, Field, FormError, Pills, useSending } from "../../components/form.js";
import { Icon } from "../../components/icon.js";
import { Pager } from "../../components/pager.js";
import { attempt, toast } from "../../components/toast.js";

const SIZE = 50;
export const ROLES = [["viewer", "viewer"], ["member", "member"], ["admin", "admin"]];
const ROLE_HINT = "A viewer reads; a member also creates, cancels and retries jobs and sees to webhooks; an admin also sees to members, tokens and keys.";

/** Who may do what in the organization. @param {{org: string}} props */
export function Members({ org }) {
  const page = usePage();
  const path = `v1/${org}/members/`;
  const admin = may(org, "admin");
  const { data, error, reload } = useLoad(`${path} ${page}`, signal => get(path, { signal, query: { page, page_size: SIZE } }));
  const [adding, setAdding] = useState(false);
  const change = (member, role) => attempt(() => call("PATCH", `${path}${encodeURIComponent(member.username)}/`, { body: { role } }), `${member.username} is ${role} now.`).then(reload);
  const remove = async member => {
    const sure = await confirm({ title: `Remove ${member.username}?`, text: "The account stays; it can do nothing in this organization any more.", action: "Remove the member", danger: true });
    if (sure && (await attempt(() => call("DELETE", `${path}${encodeURIComponent(member.username)}/`), `${member.username} was removed.`))) reload();
  };
  return html`
    ${error && html`<${Failed} error=${error} again=${reload} />`}
    ${!error && html`<${Panel} title="Members" bare actions=${admin && html`<button class="button small" onClick=${() => setAdding(true)}><${Icon} name="plus" />Add a member</button>`}>
      ${!data && html`<div class="body"><${Waiting} what="Loading the members" /></div>`}
      ${data && html`<${TableBox}><table class="cards">
        <thead><tr><th>User</th><th>Role</th><th><span class="unseen">Actions</span></th></tr></thead>
        <tbody>${data.results.map(
          one => html`<tr key=${one.username}>
            <td><strong>${one.username}</strong>${one.current && html` <span class="chip plain">you</span>`}</td>
            <td data-label="Role">${admin && !one.current ? html`<select class="input" aria-label="Role of ${one.username}" onChange=${event => change(one, event.target.value)}>${ROLES.map(([name]) => html`<option key=${name} value=${name} selected=${name === one.role}>${name}</option>`)}</select>` : one.role}</td>
            <td class="right">${admin && !one.current && html`<button class="button small danger" onClick=${() => remove(one)} aria-label="Remove ${one.username}">Remove</button>`}</td>
          </tr>`,
        )}</tbody>
      </table><//><footer><${Pager} page=${page} size=${SIZE} total=${data.count} /></footer>`}
    <//>
    <p class="soft small">${ROLE_HINT}</p>`}
    ${adding && html`<${NewMember} path=${path} close=${() => setAdding(false)} done=${member => (setAdding(false), toast(`${member.username} is ${member.role} now.`), reload())} />`}
  `;
}

function NewMember({ path, close, done }) {
  const [form, setForm] = useState({ username: "", role: "member", password: "" });
  const set = (name, value) => setForm(old => ({ ...old, [name]: value }));
  const { busy, error, fields, submit } = useSending(async () => done(await post(path, { username: form.username.trim(), role: form.role, ...(form.password ? { password: form.password } : {}) })));
  return html`<${Dialog} title="Add a member" onClose=${close}>
    <form class="stack" onSubmit=${submit} novalidate>
      <${FormError} error=${error} shown=${["username", "role", "password"]} />
      <${Field} label="User name" value=${form.username} onInput=${value => set("username", value)} messages=${fields.username} autocapitalize="none" autocomplete="off" spellcheck=${false} />
      <${Pills} legend="Role" single options=${ROLES} value=${[form.role]} onChange=${([value]) => set("role", value)} messages=${fields.role} />
      <${Field} label="Password" type="password" value=${form.password} onInput=${value => set("password", value)} messages=${fields.password} autocomplete="new-password" hint="For a new account, which its owner can change. Empty where the account is there already." />
      <${Notice}><p class="small">${ROLE_HINT}</p><//>
      <${DialogActions} action="Add" busy=${busy} close=${close} />
    </form>
  <//>`;
}
