import assert from 'node:assert/strict';
import {test} from 'node:test';
import {doneBy, marks, rowsOf} from '../../console/pages/job/gantt.js';

const at = second => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const NOW = Date.parse(at(60));
const attempt = (began, ended, more = {}) => ({began: at(began), ended: at(ended), worker: 'w1', attempt: 1, failures: {}, waited: [], ...more});
const part = more => ({part: 'v0000', requested: at(2), encode: null, upload: null, ...more});
const timeline = more => ({
  stages: [{stage: 'queued', began: at(0), ended: at(1)}, {stage: 'transcoding', began: at(1), ended: null}],
  fetch: null, finish: null, results: [], ...more,
});

test('a job under way goes up to now', () => {
  const {from, to, rows} = rowsOf(timeline(), NOW);
  assert.deepEqual([from, to], [Date.parse(at(0)), NOW]);
  assert.deepEqual(rows[0].bars.map(bar => [bar.kind, bar.open]), [['queued', false], ['transcoding', true]]);
});

test('a part waits from its request to its encode, without a gap', () => {
  const {rows} = rowsOf(timeline({results: [part({encode: attempt(10, 20), upload: attempt(21, 22)})]}), NOW);
  const bars = rows.at(-1).bars;
  assert.deepEqual(bars.map(bar => bar.kind), ['waits', 'encode', 'uploading']);
  assert.equal(bars[0].to, bars[1].from);
});

test('a part that nobody has done yet waits until now', () => {
  const [bar] = rowsOf(timeline({results: [part()]}), NOW).rows.at(-1).bars;
  assert.deepEqual([bar.kind, bar.to, bar.open], ['waits', NOW, true]);
});

test('what a service of before did not tell is left out', () => {
  const old = {began: null, ended: at(9), worker: null, attempt: null, failures: {}, waited: []};
  assert.deepEqual(rowsOf(timeline({results: [part({encode: old})], fetch: old}), NOW).rows.map(row => row.bars.length), [2, 0]);
});

test('failures and waits are told', () => {
  const odd = attempt(1, 2, {attempt: 3, failures: {encode_failed: 2}, put_off: 1, waited: [{code: 'output_unreachable'}]});
  assert.equal(doneBy(odd), 'by worker w1, at attempt 3, after 2× encode_failed, put off 1×, waited for output_unreachable');
  assert.equal(rowsOf(timeline({results: [part({encode: odd})]}), NOW).rows.at(-1).note, '2 failed, waited');
});

test('an axis has few marks, however long it is', () => {
  for (const seconds of [0.5, 3, 59, 600, 86_400, 10 * 86_400]) {
    const found = marks(seconds, 6);
    assert.equal(found[0], 0);
    assert.ok(found.length <= 7 && found.at(-1) <= seconds, `${seconds}: ${found}`);
  }
});
