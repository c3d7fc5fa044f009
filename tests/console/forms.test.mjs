import assert from 'node:assert/strict';
import {test} from 'node:test';
import {bodyOf, startOf, suggestedOutput} from '../../console/pages/new_job/request.js';
import {partSize} from '../../console/pages/new_job/upload.js';
import {ago, bitRate, bytes, filmLength, lasting, source} from '../../console/lib/format.js';
import {address} from '../../console/lib/api.js';

const form = more => ({...startOf(null), output: ' s3://b/out/ ', ...more});

test('a request has what was chosen, and nothing that is usual', () => {
  assert.deepEqual(bodyOf(form({source: 'url', url: 'https://example.com/a.mp4 '}), null), {
    input_url: 'https://example.com/a.mp4', output_path: 's3://b/out/', resolutions: ['240p', '480p', '720p'],
  });
  assert.deepEqual(bodyOf(form({source: 's3', s3: 's3://b/a.mp4', resolutions: ['audio'], priority: 'high', metadata: '{"n": 1}'}), null), {
    input_path: 's3://b/a.mp4', output_path: 's3://b/out/', resolutions: ['audio'], priority: 'high', client_metadata: {n: 1},
  });
  assert.equal(bodyOf(form({}), {input_url: 's3://b/uploads/1/a.mp4'}).input_url, 's3://b/uploads/1/a.mp4');
});

test('metadata that is no object is said beside its field', () => {
  for (const metadata of ['{', '[]', 'null', '1'])
    assert.throws(() => bodyOf(form({source: 'url', url: 'x', metadata}), null), error => error.fields.client_metadata.length === 1);
});

test('an output is suggested beside its source, or where the last one went', () => {
  assert.equal(suggestedOutput('s3://b/uploads/1/lesson 4.mp4', ''), 's3://b/streams/lesson 4/');
  assert.equal(suggestedOutput('s3://b/a.mp4?access_key=k', 's3://c/out/'), 's3://c/out/a/');
  assert.equal(suggestedOutput('https://example.com/a/b.mp4', ''), '');
  assert.equal(suggestedOutput('', 's3://c/out/'), '');
});

test('a file comes in at most a thousand parts', () => {
  for (const size of [1, 17 * 2 ** 20, 100 * 2 ** 30, 5 * 2 ** 40]) assert.ok(Math.ceil(size / partSize(size)) <= 1000);
});

test('numbers are written for people', () => {
  assert.deepEqual([0, 999, 1500, 12_152_600].map(bytes), ['0 B', '999 B', '1.5 kB', '12.2 MB']);
  assert.deepEqual([0.02, 4.24, 61, 7260, 200_000].map(lasting), ['20 ms', '4.2 s', '1 min 1 s', '2 h 1 min', '2 d 7 h']);
  assert.deepEqual([12, 3849, null].map(filmLength), ['0:12', '1:04:09', '–']);
  assert.equal(bitRate(4_861_000), '4.9 Mbit/s');
  assert.equal(ago(new Date(Date.now() - 1000).toISOString()), 'now');
});

test('a source has a name and a place', () => {
  assert.deepEqual(source('s3://bucket/a/b%20c.mp4?access_key=<access_key>'), {name: 'b c.mp4', where: 's3://bucket/a'});
  assert.deepEqual(source('https://example.com/'), {name: 'example.com', where: 'example.com'});
  assert.deepEqual(source('no address'), {name: 'no address', where: ''});
});

test('an address has no parameters that say nothing', () => {
  assert.equal(address('v1/x/', {a: null, b: '', c: ['1', '2'], d: 0}), '/api/v1/x/?c=1&c=2&d=0');
});
