// Where the bars of a timeline stand: plain numbers out of what the API says, without a page around them.

const at = iso => new Date(iso).getTime();

/**
 * @typedef {{kind: string, from: number, to: number, open: boolean, text: string}} Bar  milliseconds since 1970
 * @typedef {{name: string, note: string, bars: Bar[]}} Row
 */

/**
 * The rows of a timeline: the stages, the fetch, each part, and the finish.
 * @param {any} timeline as the API answers it @param {number} now milliseconds
 * @returns {{from: number, to: number, rows: Row[]}}
 */
export function rowsOf(timeline, now) {
  const ends = timeline.stages.map(stage => (stage.ended ? at(stage.ended) : now));
  const from = timeline.stages.length ? at(timeline.stages[0].began) : now;
  const to = Math.max(from + 1, ...ends);
  const rows = [
    { name: "Stages", note: "", bars: timeline.stages.map(stage => bar(stage.stage, stage.began, stage.ended, now, stage.stage)) },
    ...(timeline.fetch?.began ? [{ name: "Fetch", note: doneBy(timeline.fetch), bars: [bar("fetching", timeline.fetch.began, timeline.fetch.ended, now, `Fetch ${doneBy(timeline.fetch)}`)] }] : []),
    ...timeline.results.map(part => partRow(part, now)),
    ...(timeline.finish?.began ? [{ name: "Playlists", note: doneBy(timeline.finish), bars: [bar("uploading", timeline.finish.began, timeline.finish.ended, now, `Writing the playlists ${doneBy(timeline.finish)}`)] }] : []),
  ];
  return { from, to, rows };
}

function partRow(part, now) {
  const bars = [];
  const { requested, encode, upload } = part;
  if (requested && (encode?.began ?? !encode)) {
    const until = encode?.began ?? null;
    bars.push(bar("waits", requested, until, now, until ? "Waits for a slot" : "Waits for a slot, or is being encoded"));
  }
  if (encode?.began) bars.push(bar("encode", encode.began, encode.ended, now, `Encode with ${encode.encoder}${encode.speed ? ` at ${encode.speed}×` : ""} ${doneBy(encode)}`));
  if (upload?.began) bars.push(bar("uploading", upload.began, upload.ended, now, `Upload ${doneBy(upload)}`));
  return { name: part.part, note: noteOf(part), bars };
}

const bar = (kind, from, to, now, text) => ({ kind, from: at(from), to: to ? at(to) : now, open: !to, text });

/** By whom, at which attempt, and after what. */
export function doneBy(attempt) {
  const failures = Object.entries(attempt.failures ?? {}).map(([code, times]) => `${times}× ${code}`);
  const waited = (attempt.waited ?? []).map(one => one.code);
  return [
    attempt.worker && `by worker ${attempt.worker}`,
    attempt.attempt > 1 && `at attempt ${attempt.attempt}`,
    failures.length && `after ${failures.join(", ")}`,
    attempt.put_off && `put off ${attempt.put_off}×`,
    waited.length && `waited for ${waited.join(", ")}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** What is odd about a part: what a glance should find. */
function noteOf(part) {
  const tries = [part.encode, part.upload].filter(Boolean);
  const failures = tries.reduce((sum, one) => sum + Object.values(one.failures ?? {}).reduce((a, b) => a + b, 0), 0);
  const waits = tries.reduce((sum, one) => sum + (one.waited ?? []).length, 0);
  return [failures && `${failures} failed`, waits && "waited"].filter(Boolean).join(", ");
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

/** Where the marks of the axis stand, in seconds from its begin. @param {number} seconds its length @param {number} most */
export function marks(seconds, most = 6) {
  const step = STEPS.find(one => seconds / one <= most) ?? 86400 * Math.ceil(seconds / 86400 / most);
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
}
