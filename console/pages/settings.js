// What belongs to an organization and to oneself: members, tokens, storage, the password.
import { html } from "../lib/html.js";
import { useQuery, withQuery } from "../lib/router.js";
import { session } from "../lib/session.js";
import { useStore } from "../lib/store.js";
import { PageHead } from "../components/basics.js";
import { Account } from "./settings/account.js";
import { Members } from "./settings/members.js";
import { Storage } from "./settings/storage.js";
import { Tokens } from "./settings/tokens.js";

const TABS = [["members", "Members", Members], ["tokens", "Tokens", Tokens], ["storage", "Storage", Storage], ["account", "Your account", Account]];

/** @param {{org: string}} props */
export default function SettingsPage({ org }) {
  const chosen = useQuery().get("tab") ?? "members";
  const organization = useStore(session)?.organizations.find(one => one.id === org);
  const [, , Shown] = TABS.find(([name]) => name === chosen) ?? TABS[0];
  return html`
    <${PageHead} title="Settings" />
    <p class="soft">${organization?.name} · <span class="mono">${org}</span> · your role here is <strong>${organization?.role}</strong></p>
    <nav class="tabs" aria-label="Settings">${TABS.map(([name, text]) => html`<a key=${name} href=${withQuery({ tab: name === "members" ? null : name, page: null })} aria-current=${name === chosen ? "true" : undefined}>${text}</a>`)}</nav>
    <${Shown} org=${org} />
  `;
}
