import { html, useEffect, useState } from "../lib/html.js";
import { signIn, signInWithToken } from "../lib/session.js";
import { Field, FormError, useSending } from "../components/form.js";
import { Mark } from "../components/icon.js";

/** @param {{to: string}} props where to go then */
export function LoginPage({ to }) {
  const [byToken, setByToken] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [token, setToken] = useState("");
  useEffect(() => {
    document.title = "Sign in · Millrace";
  }, []);
  const { busy, error, fields, submit } = useSending(async () => {
    await (byToken ? signInWithToken(token.trim()) : signIn(name, password));
    location.replace(to);
  });
  return html`<main class="gate">
    <form class="card" onSubmit=${submit}>
      <div class="stack tight">
        <div class="brand"><${Mark} /><span>Millrace</span></div>
        <h1>Sign in</h1>
      </div>
      <${FormError} error=${error} shown=${["username", "password"]} />
      ${byToken
        ? html`<${Field} label="Token" type="password" autocomplete="off" required value=${token} onInput=${setToken} hint="64 characters, as the API takes them" />`
        : html`<div class="stack">
            <${Field} label="User name" autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus value=${name} onInput=${setName} messages=${fields.username} />
            <${Field} label="Password" type="password" autocomplete="current-password" required value=${password} onInput=${setPassword} messages=${fields.password} />
          </div>`}
      <div class="stack tight">
        <button class="button main" disabled=${busy}>${busy ? "Signing in …" : "Sign in"}</button>
        <button type="button" class="button quiet" onClick=${() => setByToken(!byToken)}>${byToken ? "Use a user name and password" : "Use a token instead"}</button>
      </div>
    </form>
  </main>`;
}
