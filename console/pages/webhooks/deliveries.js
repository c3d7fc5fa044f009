// Every attempt to deliver, with what was sent and answered, and the button to send it once more.
import { html, useEffect, useState } from "../../lib/html.js";
import { get, post } from "../../lib/api.js";
import { lasting, statusName } from "../../lib/format.js";
import { useLoad, useRepeat, useThrottle } from "../../lib/load.js";
import { navigate, usePage, useQuery, withQuery } from "../../lib/router.js";
import { Code, Empty, Failed, Panel, Pending, TableBox, Waiting, When } from "../../components/basics.js";
import { Dialog } from "../../components/dialog.js";
import { Icon } from "../../components/icon.js";
import { Pager } from "../../components/pager.js";
import { attempt } from "../../components/toast.js";
import { OUTCOME_NAMES, OutcomeChip } from "./outcome.js";

const SIZE = 25;
const LOOK = 5000;
const SOON = [600, 1500, 3000];

/** @param {{org: string, path: string, turn: number, writes: boolean}} props turn: changes when something was sent */
export function Deliveries({ org, path, turn, writes }) {
  const query = useQuery();
  const page = usePage();
  const wanted = { job: query.get("job"), outcome: query.get("outcome") };
  const { data, error, reload } = useLoad(JSON.stringify([path, wanted, page]), signal => get(path, { signal, query: { ...wanted, page, page_size: SIZE } }));
  const [shown, setShown] = useState(null);
  const look = useThrottle(reload, 300);
  // No stream tells of deliveries; while somebody looks at them, they are looked up.
  useRepeat(look, LOOK);
  const soon = () => SOON.forEach(pause => setTimeout(look, pause));
  useEffect(() => {
    if (turn) soon();
  }, [turn]);
  const replay = one => attempt(() => post(`${path}${one.id}/redeliver/`), answer => answer.message).then(done => done && soon());
  const filter = html`<select class="input" aria-label="Outcome" onChange=${event => navigate(withQuery({ outcome: event.target.value, page: null }), { replace: true })}>
    <option value="">every outcome</option>${OUTCOME_NAMES.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === wanted.outcome}>${text}</option>`)}
  </select>`;
  return html`<${Panel} title="Deliveries" bare actions=${filter}>
    <${Pending} data=${data} error=${error} again=${reload} what="Loading the deliveries" />
    ${data && !data.results.length && html`<${Empty} icon="webhooks" title="No deliveries"><p>${wanted.outcome || wanted.job ? "None fits." : "A test sends one at once."}</p><//>`}
    ${data?.results.length > 0 &&
    html`<${TableBox}><table class="cards">
      <thead><tr><th>Outcome</th><th>Told</th><th>Job</th><th class="right">Attempt</th><th class="right">Answer</th><th class="right">When</th><th><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${data.results.map(
        one => html`<tr key=${one.id}>
          <td><${OutcomeChip} outcome=${one.outcome} />${one.error && html` <span class="small soft clip why" title=${one.error}>${one.error}</span>`}</td>
          <td data-label="Told">${statusName(one.status)}</td>
          <td data-label="Job" class="mono small">${one.test ? html`<span class="chip plain">test</span>` : html`<a href="/console/${org}/jobs/${one.job}">${one.job}</a>`}</td>
          <td data-label="Attempt" class="right">${one.attempt}</td>
          <td data-label="Answer" class="right nowrap">${one.response_status ?? "–"} <span class="soft small">${lasting(one.duration_ms / 1000)}</span></td>
          <td data-label="When" class="right nowrap"><${When} value=${one.at} />${one.next_attempt_at && html`<br /><span class="soft small">again <${When} value=${one.next_attempt_at} /></span>`}</td>
          <td class="right nowrap"><button class="button small" onClick=${() => setShown(one)}>Bodies</button> ${writes && html`<button class="button small" onClick=${() => replay(one)} aria-label="Replay delivery ${one.id}"><${Icon} name="retry" />Replay</button>`}</td>
        </tr>`,
      )}</tbody>
    </table><//><footer><${Pager} page=${page} size=${SIZE} total=${data.count} /></footer>`}
    ${shown && html`<${Bodies} path="${path}${shown.id}/" delivery=${shown} close=${() => setShown(null)} />`}
  <//>`;
}

function Bodies({ path, delivery, close }) {
  const { data, error, reload } = useLoad(path, signal => get(path, { signal }));
  return html`<${Dialog} title="Delivery ${delivery.id}" wide onClose=${close}>
    <p class="row"><${OutcomeChip} outcome=${delivery.outcome} /><span class="soft small mono break">webhook-id ${delivery.message_id}</span></p>
    ${error && html`<${Failed} error=${error} again=${reload} />`}
    ${!data && !error && html`<${Waiting} what="Loading the bodies" />`}
    ${data && html`<h3>Sent</h3>${data.request_body === null ? html`<p class="soft">What it was made from is no longer kept.</p>` : html`<${Code} text=${pretty(data.request_body)} label="what was sent" />`}
      <h3>Answered${data.response_status && ` ${data.response_status}`}</h3>
      ${data.response ? html`<${Code} text=${answered(data.response)} label="the answer" wrap />` : html`<p class="soft">${delivery.error ?? "No answer is kept."}</p>`}`}
    <div class="actions"><button class="button" onClick=${close}>Close</button></div>
  <//>`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const answered = ({ headers, body, truncated }) => [...headers.map(({ name, value }) => `${name}: ${value}`), "", body + (truncated ? " …" : "")].join("\n").trim();
