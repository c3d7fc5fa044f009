// For operators: what waits for services, who works at what, and what was given up.
import { html, useState } from "../lib/html.js";
import { call, get, post } from "../lib/api.js";
import { between, count, lasting, plural } from "../lib/format.js";
import { useLoad, useRepeat } from "../lib/load.js";
import { usePage } from "../lib/router.js";
import { session } from "../lib/session.js";
import { Channel, Code, Empty, Failed, Notice, PageHead, Panel, Pending, TableBox, Waiting, When } from "../components/basics.js";
import { confirm, Dialog } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { Pager } from "../components/pager.js";
import { attempt } from "../components/toast.js";

const LOOK = 3000;
const MOST = 100;
const LETTERS = 20;

export default function WorkersPage() {
  if (!session.value?.operator) return html`<${PageHead} title="Workers" /><${Notice}><p>This page is for operators of the server.</p><//>`;
  return html`<${PageHead} title="Workers" /><${Queues} /><${Workers} /><${DeadLetters} />`;
}

/** Read something again every few seconds while it is looked at. */
function useLook(path, query) {
  const loaded = useLoad(JSON.stringify([path, query]), signal => get(path, { signal, query }));
  useRepeat(loaded.reload, LOOK);
  return loaded;
}

function Queues() {
  const { data, error, reload } = useLook("v1/operator/queues/", { page_size: MOST });
  return html`<${Panel} title="Queues" bare>
    <${Pending} data=${data} error=${error} again=${reload} what="Loading the queues" />
    ${data && html`<${TableBox}><table class="cards">
      <thead><tr><th>Queue</th><th class="right">Waiting</th><th class="right">Oldest</th><th class="right">Under way</th><th class="right">Again</th><th class="right">Workers</th><th>Slots at work</th></tr></thead>
      <tbody>${data.results.map(one => {
        const busy = Math.min(one.under_way, one.slots);
        return html`<tr key=${one.name}>
          <td><strong>${one.name}</strong>${one.name !== one.service && html` <span class="soft small">${one.service}</span>`}</td>
          <td data-label="Waiting" class="right">${count(one.waiting)}</td>
          <td data-label="Oldest" class="right nowrap">${one.waiting ? lasting(one.oldest_seconds) : "–"}</td>
          <td data-label="Under way" class="right">${count(one.under_way)}</td>
          <td data-label="Again" class="right">${count(one.repeated)}</td>
          <td data-label="Workers" class="right">${one.workers ? count(one.workers) : html`<span class="chip ${one.waiting ? "bad" : ""}">none</span>`}</td>
          <td data-label="Slots at work"><span class="slots"><${Channel} value=${one.slots ? Math.round((100 * busy) / one.slots) : 0} label="Slots of ${one.name} at work" /><span class="small nowrap">${count(busy)} of ${count(one.slots)}</span></span></td>
        </tr>`;
      })}</tbody>
    </table><//>`}
  <//>`;
}

const STATES = { idle: ["", "stop"], working: ["transcoding", "turn"], draining: ["warn", "leave"], lost: ["bad", "cross"] };

function Workers() {
  const { data, error, reload } = useLook("v1/operator/workers/", { page_size: MOST });
  const drain = async one => {
    const sure = await confirm({ title: "Drain the worker?", text: html`<p>The ${one.service} <span class="mono">${one.id}</span> finishes what it is at, takes nothing new, and ends. Something may start another in its place.</p>`, action: "Drain it" });
    if (sure && (await attempt(() => post(`v1/operator/workers/${encodeURIComponent(one.id)}/drain/`, {}), "The worker takes no new work."))) reload();
  };
  return html`<${Panel} title="Workers" bare>
    <${Pending} data=${data} error=${error} again=${reload} what="Loading the workers" />
    ${data && !data.results.length && html`<${Empty} icon="workers" title="No worker is there">Jobs wait until one comes.<//>`}
    ${data?.results.length > 0 && html`<${TableBox}><table class="cards">
      <thead><tr><th>Worker</th><th>State</th><th>At work on</th><th class="right">Slots</th><th class="right">Started</th><th class="right">Heard of</th><th><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${data.results.map(
        one => html`<tr key=${one.id}>
          <td><strong>${one.service}</strong><br /><span class="soft small mono break">${one.host} · ${one.pid}</span></td>
          <td data-label="State"><span class="chip ${STATES[one.state]?.[0]}"><${Icon} name=${STATES[one.state]?.[1] ?? "info"} />${one.state}</span></td>
          <td data-label="At work on"><div>${one.running.map(work => html`<div key=${work.job + work.work} class="small"><a class="mono" href="/console/${work.organization}/jobs/${work.job}">${work.job}</a> ${work.part ?? work.work} <span class="soft">for ${lasting(between(work.since, null))}${work.attempt > 1 && html`, delivery ${work.attempt}`}</span></div>`)}${!one.running.length && html`<span class="soft">–</span>`}</div></td>
          <td data-label="Slots" class="right">${count(one.running.length)} of ${count(one.slots)}</td>
          <td data-label="Started" class="right nowrap"><${When} value=${one.started} /></td>
          <td data-label="Heard of" class="right nowrap"><${When} value=${one.seen} /></td>
          <td class="right">${["idle", "working"].includes(one.state) && html`<button class="button small" onClick=${() => drain(one)} aria-label="Drain ${one.service} ${one.pid}">Drain</button>`}</td>
        </tr>`,
      )}</tbody>
    </table><//>`}
  <//>`;
}

function DeadLetters() {
  const page = usePage();
  const path = "v1/operator/dead_letters/";
  const { data, error, reload } = useLook(path, { page, page_size: LETTERS });
  const [shown, setShown] = useState(null);
  const requeue = one => attempt(() => post(`${path}${one.id}/requeue/`), answer => html`${answer.message}${answer.job && html` <a href="/console/${one.organization}/jobs/${answer.job}">${answer.job}</a>`}`).then(done => done && reload());
  const drop = async one => {
    const sure = await confirm({ title: "Drop the dead letter?", text: html`<p>What was given up stays undone, and nothing tells of it any more.</p>`, action: "Drop it", danger: true });
    if (sure && (await attempt(() => call("DELETE", `${path}${one.id}/`), "Dropped."))) reload();
  };
  return html`<${Panel} title="Dead letters" bare actions=${data?.count > 0 && html`<span class="chip bad"><${Icon} name="warning" />${plural(data.count, "letter")}</span>`}>
    <${Pending} data=${data} error=${error} again=${reload} what="Loading the dead letters" />
    ${data && !data.results.length && html`<${Empty} icon="check" title="Nothing was given up"><p>A message that a service gives up on is kept here, until it is done once more or dropped.</p><//>`}
    ${data?.results.length > 0 && html`<${TableBox}><table class="cards">
      <thead><tr><th>Service</th><th>Job</th><th>Reason</th><th class="right">When</th><th><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${data.results.map(
        one => html`<tr key=${one.id}>
          <td><strong>${one.service}</strong></td>
          <td data-label="Job" class="small"><a class="mono" href="/console/${one.organization}/jobs/${one.job}">${one.job}</a> <span class="soft">${one.organization}</span></td>
          <td data-label="Reason" class="small break">${one.reason}</td>
          <td data-label="When" class="right nowrap"><${When} value=${one.at} /></td>
          <td class="right nowrap"><button class="button small" onClick=${() => setShown(one)} aria-label="Message of letter ${one.id}">Message</button> <button class="button small" onClick=${() => requeue(one)} aria-label="Requeue letter ${one.id}"><${Icon} name="retry" />Requeue</button> <button class="button small danger" onClick=${() => drop(one)} aria-label="Drop letter ${one.id}">Drop</button></td>
        </tr>`,
      )}</tbody>
    </table><//><footer><${Pager} page=${page} size=${LETTERS} total=${data.count} /></footer>`}
    ${shown && html`<${Letter} path="${path}${shown.id}/" close=${() => setShown(null)} />`}
  <//>`;
}

function Letter({ path, close }) {
  const { data, error, reload } = useLoad(path, signal => get(path, { signal }));
  return html`<${Dialog} title="Dead letter" wide onClose=${close}>
    ${error && html`<${Failed} error=${error} again=${reload} />`}
    ${!data && !error && html`<${Waiting} what="Loading the message" />`}
    ${data && html`<dl class="facts"><dt>Subject</dt><dd class="mono">${data.subject}</dd><dt>Reason</dt><dd>${data.reason}</dd></dl>
      <${Code} text=${typeof data.body === "string" ? data.body : JSON.stringify(data.body, null, 2)} label="the message" wrap />`}
    <div class="actions"><button class="button" onClick=${close}>Close</button></div>
  <//>`;
}
