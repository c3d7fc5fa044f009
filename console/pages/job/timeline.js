// What has happened to a job, drawn over time.
import { html, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { count, lasting } from "../../lib/format.js";
import { useLoad, useMedia } from "../../lib/load.js";
import { Failed, Notice, Panel, Waiting } from "../../components/basics.js";
import { marks, rowsOf } from "./gantt.js";

const SIZE = 50;
const LEGEND = [["waits", "waits for a slot"], ["encode", "encode"], ["uploading", "upload"]];

/** @param {{path: string, turn: string}} props turn: changes when there is news */
export function TimelinePanel({ path, turn }) {
  const [page, setPage] = useState(1);
  const timeline = useLoad(`${path} ${page}`, signal => get(`${path}timeline/`, { signal, query: { page, page_size: SIZE } }), turn);
  const { data, error } = timeline;
  const pages = data ? Math.ceil(data.count / SIZE) : 1;
  return html`<${Panel} title="Timeline" actions=${html`<span class="legend small">${LEGEND.map(([kind, text]) => html`<span key=${kind}><i class="swatch ${kind}"></i>${text}</span>`)}</span>`}>
    ${!data && (error ? html`<${Failed} error=${error} again=${timeline.reload} />` : html`<${Waiting} lines=${5} what="Loading the timeline" />`)}
    ${data && html`<${Gantt} timeline=${data} />`}
    ${data?.waiting.length > 0 &&
    html`<div class="stack tight gantt-waits">${data.waiting.map(one => html`<${Notice} kind="warn" key=${one.work}><p class="small"><span class="mono">${one.work}</span> waits: ${one.message}</p><//>`)}</div>`}
    ${pages > 1 &&
    html`<div class="row spread gantt-pages"><span class="soft small">Parts ${count((page - 1) * SIZE + 1)}–${count(Math.min(page * SIZE, data.count))} of ${count(data.count)}</span>
      <span class="row"><button class="button small" disabled=${page === 1} onClick=${() => setPage(page - 1)}>Earlier</button><button class="button small" disabled=${page === pages} onClick=${() => setPage(page + 1)}>Later</button></span></div>`}
  <//>`;
}

function Gantt({ timeline }) {
  const narrow = useMedia("(max-width: 40rem)");
  const { from, to, rows } = rowsOf(timeline, Date.now());
  const place = bar => ({ left: `${(100 * (bar.from - from)) / (to - from)}%`, width: `${(100 * (bar.to - bar.from)) / (to - from)}%` });
  const seconds = (to - from) / 1000;
  return html`<div class="gantt">
    <div class="axis" aria-hidden="true"><span></span><div>${marks(seconds, narrow ? 3 : 7).filter(mark => mark < 0.92 * seconds).map(mark => html`<span key=${mark} style=${{ left: `${(100 * mark) / seconds}%` }}>${mark ? lasting(mark).replace(" 0 s", "") : "0"}</span>`)}</div></div>
    <ul role="list">
      ${rows.map(
        row => html`<li key=${row.name}>
          <span class="clip small ${row.name === "Stages" ? "" : "mono"}" title=${row.note}>${row.name}${row.note && row.note.includes("failed") ? html` <b title=${row.note}>!</b>` : ""}</span>
          <div>
            ${row.bars.map((bar, index) => html`<i key=${index} class="bar ${bar.kind} ${bar.open ? "open" : ""}" style=${place(bar)} title="${bar.text}: ${lasting((bar.to - bar.from) / 1000)}"><span class="unseen">${bar.text}: ${lasting((bar.to - bar.from) / 1000)}. </span></i>`)}
          </div>
        </li>`,
      )}
    </ul>
  </div>`;
}
