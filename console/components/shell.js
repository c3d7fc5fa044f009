// The frame of every page: where one can go, for which organization, and as whom.
import { html, useEffect, useState } from "../lib/html.js";
import { navigate, ROOT } from "../lib/router.js";
import { may, signOut } from "../lib/session.js";
import { Icon, Mark } from "./icon.js";

const THEMES = ["system", "light", "dark"];
const THEME_ICONS = { system: "screen", light: "sun", dark: "moon" };
const THEME_KEY = "millrace.theme";

const places = (org, operator) => [
  ["jobs", "Jobs", `/console/${org}/jobs`],
  ["webhooks", "Webhooks", `/console/${org}/webhooks`],
  ["usage", "Usage", `/console/${org}/usage`],
  ...(operator ? [["workers", "Workers", `/console/${org}/workers`]] : []),
  ["settings", "Settings", `/console/${org}/settings`],
];

/** @param {{session: any, org: string, here: string, children: any}} props here: the name of the place that the page belongs to */
export function Shell({ session, org, here, children }) {
  const operator = session.operator;
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <div class="shell">
      <header class="rail">
        <a class="brand" href="/console/${org}/jobs" aria-label="Millrace"><${Mark} /><span>Millrace</span></a>
        <div class="org">
          <select aria-label="Organization" title="Organization ${org}" onChange=${event => navigate(`/console/${event.target.value}/jobs`)}>
            ${session.organizations.map(one => html`<option key=${one.id} value=${one.id} selected=${one.id === org}>${one.name || one.id}</option>`)}
          </select>
        </div>
        <nav aria-label="Console">
          <ul>
            ${places(org, operator).map(
              ([name, text, href]) => html`<li key=${name}><a href=${href} aria-current=${name === here ? "page" : undefined}><${Icon} name=${name} />${text}</a></li>`,
            )}
          </ul>
        </nav>
        <div class="foot">
          <div class="who"><${Icon} name="user" /><span class="clip grow" title=${session.username}>${session.username ?? "token"}</span>${!may(org, "member") && html`<span>viewer</span>`}</div>
          <div class="row"><${ThemeButton} /><button class="button small grow" onClick=${leave}><${Icon} name="leave" />Sign out</button></div>
        </div>
      </header>
      <main class="page" id="main" tabindex="-1"><${Offline} /><div class="inner">${children}</div></main>
    </div>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

async function leave() {
  await signOut();
  navigate(ROOT);
}

/** From what the system says to light to dark. */
function ThemeButton() {
  const [theme, setTheme] = useState(localStorage.getItem(THEME_KEY) ?? "system");
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const change = () => {
    if (next === "system") localStorage.removeItem(THEME_KEY);
    else localStorage.setItem(THEME_KEY, next);
    dispatchEvent(new Event("themechosen"));
    setTheme(next);
  };
  return html`<button class="button small square" onClick=${change} title="Theme: ${theme}" aria-label="Theme: ${theme}. Change to ${next}."><${Icon} name=${THEME_ICONS[theme]} /></button>`;
}

function Offline() {
  const [offline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const look = () => setOffline(!navigator.onLine);
    addEventListener("online", look);
    addEventListener("offline", look);
    return () => {
      removeEventListener("online", look);
      removeEventListener("offline", look);
    };
  }, []);
  return offline ? html`<div class="offline" role="status">There is no connection. What you see may be old.</div>` : null;
}
