import { html, useState } from "../../lib/html.js";
import { ApiError, post } from "../../lib/api.js";
import { navigate } from "../../lib/router.js";
import { Dialog } from "../../components/dialog.js";
import { DialogActions, Field, FormError, useSending } from "../../components/form.js";
import { Icon } from "../../components/icon.js";
import { toast } from "../../components/toast.js";

const ADDRESSES = ["input_url", "input_path", "output_path"];
const LABELS = { input_url: "Address of the source", input_path: "Place of the source", output_path: "Output" };

/** Runs a job again; asks for the addresses whose secrets were not kept. @param {{org: string, job: any}} props */
export function RetryButton({ org, job }) {
  const [asked, setAsked] = useState(null);
  const path = `v1/${org}/transcoding_jobs/${job.id}/retry/`;
  const send = async body => {
    const made = await post(path, body);
    toast(html`The job runs again as <span class="mono">${made.id}</span>.`);
    navigate(`/console/${org}/jobs/${made.id}`);
  };
  const retry = async () => {
    try {
      await send({});
    } catch (error) {
      if (error instanceof ApiError && ADDRESSES.some(name => error.fields[name])) setAsked(error);
      else toast(error.message, "bad");
    }
  };
  return html`<button class="button main" onClick=${retry}><${Icon} name="retry" />Retry</button>
    ${asked && html`<${Asking} job=${job} first=${asked} send=${send} close=${() => setAsked(null)} />`}`;
}

function Asking({ job, first, send, close }) {
  const wanted = ADDRESSES.filter(name => first.fields[name]);
  const [values, setValues] = useState(() => Object.fromEntries(wanted.map(name => [name, ""])));
  const { busy, error, submit } = useSending(() => send(values));
  const fields = (error ?? first).fields;
  return html`<${Dialog} title="Retry" onClose=${close}>
    <form class="stack" onSubmit=${submit}>
      <p>Secrets in addresses are kept only while a job runs. Give these once more, for the same places:</p>
      <${FormError} error=${error} shown=${wanted} />
      ${wanted.map(
        name => html`<${Field} key=${name} label=${LABELS[name]} value=${values[name]} onInput=${value => setValues({ ...values, [name]: value })} messages=${fields[name]} hint=${html`Before: <span class="mono break">${name === "output_path" ? job.output_path : job.input_url}</span>`} required autocomplete="off" spellcheck=${false} />`,
      )}
      <${DialogActions} action="Retry" busy=${busy} close=${close} />
    </form>
  <//>`;
}
