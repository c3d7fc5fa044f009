// The console: finds out who is signed in, and shows the page that the address names.
import { html, render, useEffect, useState } from "./lib/html.js";
import { match, navigate, ROOT, usePlace } from "./lib/router.js";
import { restore, session } from "./lib/session.js";
import { useStore } from "./lib/store.js";
import { Empty, Failed, Waiting } from "./components/basics.js";
import { Questions } from "./components/dialog.js";
import { Shell } from "./components/shell.js";
import { Toasts } from "./components/toast.js";
import { JobsPage } from "./pages/jobs.js";
import { LoginPage } from "./pages/login.js";

// Pattern, the place in the navigation, and the page or what loads it. Jobs come first and are what most come for.
const PAGES = [
  ["/console/:org/jobs", "jobs", JobsPage],
  ["/console/:org/jobs/new", "jobs", () => import("./pages/new_job.js")],
  ["/console/:org/jobs/:job", "jobs", () => import("./pages/job.js")],
  ["/console/:org/webhooks", "webhooks", () => import("./pages/webhooks.js")],
  ["/console/:org/webhooks/:hook", "webhooks", () => import("./pages/webhook.js")],
  ["/console/:org/usage", "usage", () => import("./pages/usage.js")],
  ["/console/:org/workers", "workers", () => import("./pages/workers.js")],
  ["/console/:org/settings", "settings", () => import("./pages/settings.js")],
];
const ORG = "millrace.org";

function App() {
  const { path, query, turn } = usePlace();
  const signedIn = useStore(session);
  const [error, setError] = useState(null);
  const begin = () => {
    setError(null);
    restore().catch(setError);
  };
  useEffect(begin, []);
  useEffect(() => {
    if (turn) scrollTo(0, 0);
  }, [turn]);
  if (error) return html`<div class="gate"><div class="card"><${Failed} error=${error} again=${begin} /></div></div>`;
  if (signedIn === undefined) return null;
  if (!signedIn) return html`<${LoginPage} to=${path + query} />`;
  return html`<${SignedIn} session=${signedIn} path=${path} />`;
}

function SignedIn({ session, path }) {
  const found = PAGES.map(([pattern, here, page]) => ({ names: match(pattern, path), here, page })).find(one => one.names);
  const known = session.organizations.map(one => one.id);
  const kept = localStorage.getItem(ORG);
  const usual = known.includes(kept) ? kept : known[0];
  const org = found && known.includes(found.names.org) ? found.names.org : usual;
  useEffect(() => {
    if (path === ROOT && usual) navigate(`/console/${usual}/jobs`, { replace: true });
  }, [path, usual]);
  useEffect(() => {
    if (org) localStorage.setItem(ORG, org);
  }, [org]);
  if (path === ROOT && usual) return null;
  if (!usual) return html`<${Shell} session=${session} org="" here=""><${Empty} title="You belong to no organization yet">An administrator of one can add you.<//><//>`;
  const page = found && org === found.names.org ? html`<${Page} key=${`${org} ${found.names.job ?? found.names.hook ?? ""}`} page=${found.page} ...${found.names} />` : html`<${NoPage} />`;
  return html`<${Shell} session=${session} org=${org} here=${found?.here}>${page}<//>`;
}

const NoPage = () => html`<${Empty} icon="search" title="There is no such page"><a href=${ROOT}>To the jobs</a><//>`;

const loaded = new Map([[JobsPage, JobsPage]]);

function Page({ page, ...names }) {
  const [, setTurn] = useState(0);
  const [error, setError] = useState(null);
  const load = () => {
    setError(null);
    page().then(module => loaded.set(page, module.default) && setTurn(turn => turn + 1), setError);
  };
  useEffect(() => {
    if (!loaded.has(page)) load();
  }, [page]);
  if (error) return html`<${Failed} error=${new Error("The page could not be loaded.")} again=${() => location.reload()} />`;
  const Shown = loaded.get(page);
  return Shown ? html`<${Shown} ...${names} />` : html`<${Waiting} />`;
}

render(html`<${App} /><${Questions} /><${Toasts} />`, document.getElementById("app"));
