// Plays encrypted streams in headless Chromium, all at once, and prints what happened as one JSON object, by name.
//
//   node decrypt.mjs CHROMIUM FOLDER < streams.json
//
// streams.json is a list of {name, kind, url, keys, stills}: `kind` as in play.mjs; `keys` a key for each key id, both in
// hexadecimal, nothing for a stream that needs none; `stills` a list of {height, language, at}, each of which is a picture of that
// rendition, with the sound of that language, at that second of the film: FOLDER/<name>-<number>.png. Then it plays to the end.
// Keys come by Clear Key; of W3C's systems it is the one that every browser has to know.
import {PATIENCE, launch, serve} from './pages.mjs';

const [executablePath, folder] = process.argv.slice(2);
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const streams = JSON.parse(Buffer.concat(chunks));

// A licence server in the form that Encrypted Media Extensions give Clear Key (9.1.4).
const {server, origin} = await serve('muted', async (request, response) => {
  const stream = streams.find(one => request.url === `/licence/${one.name}`);
  if (!stream || request.method !== 'POST') return false;
  const body = [];
  for await (const chunk of request) body.push(chunk);
  const {kids} = JSON.parse(Buffer.concat(body));
  const keys = kids.map(kid => ({kty: 'oct', kid, k: base64url(stream.keys[Buffer.from(kid, 'base64url').toString('hex')])}));
  response.writeHead(200, {'content-type': 'application/json'});
  response.end(JSON.stringify({keys, type: 'temporary'}));
  return true;
});
const browser = await launch(executablePath, {autoplay: true});
try {
  const reports = await Promise.all(streams.map(stream => play(stream)));
  console.log(JSON.stringify(Object.fromEntries(reports.map((report, number) => [streams[number].name, report]))));
} finally {
  await browser.close();
  server.close();
}

function base64url(hexadecimal = '') {
  return Buffer.from(hexadecimal, 'hex').toString('base64url');
}

async function play({name, kind, url, keys, stills}) {
  const page = await browser.newPage({viewport: {width: 960, height: 540}});
  try {
    await page.goto(`${origin}/${kind}.html`);
    const encoded = Object.fromEntries(Object.entries(keys).map(pair => pair.map(base64url)));
    await page.evaluate(start, {kind, url, keys, encoded, licence: `${origin}/licence/${name}`});
    await until(page, () => window.ready());
    for (const [number, still] of stills.entries()) {
      await page.evaluate(still => window.choose(still), still);
      await until(page, still => window.plays(still), still);
      await until(page, still => window.stands(still), still);
      // What is decoded by then is on the screen after two frames of it.
      await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
      await page.screenshot({path: `${folder}/${name}-${number}.png`});
    }
    await page.evaluate(() => window.go_on());
    await until(page, () => window.report.ended);
  } catch (error) {
    await page.evaluate(text => { window.report.fatal ??= text; }, String(error));
  }
  return page.evaluate(() => window.report);
}

// Waits for a condition in the page, or for an error, as long as the player gets on.
async function until(page, condition, argument) {
  let before = '', since = Date.now();
  for (;;) {
    if (await page.evaluate(condition, argument)) return;
    const {fatal, state} = await page.evaluate(() => ({fatal: window.report.fatal, state: window.state()}));
    if (fatal) throw new Error(fatal);
    if (state !== before) [before, since] = [state, Date.now()];
    if (Date.now() - since > PATIENCE) throw new Error(`the player stands still at ${state}`);
    await page.waitForTimeout(50);
  }
}

// Runs inside the page.
function start({kind, url, keys, encoded, licence}) {
  const video = document.getElementById('video');
  const report = window.report = {ended: false, fatal: null, errors: [], sound: [], heights: [], frames: 0, encrypted: false};
  const encrypted = Object.keys(keys).length > 0, one_key = Object.keys(keys).length === 1;
  const players = {hls, shaka: shaka_player, dash};
  let shown = null, sought = false, heard = 0, of_stream = {};
  video.addEventListener('encrypted', () => { report.encrypted = true; });
  video.addEventListener('error', () => { report.fatal = video.error?.message ?? 'media error'; });
  video.addEventListener('ended', () => { report.ended = true; });
  video.addEventListener('seeked', () => { sought = true; });
  video.requestVideoFrameCallback(function told(_now, {height, mediaTime}) {
    shown = {height, time: mediaTime};
    if (!report.heights.includes(height)) report.heights.push(height);
    video.requestVideoFrameCallback(told);
  });
  window.state = () => {
    const {currentTime, readyState, buffered} = video;
    const loaded = performance.getEntriesByType('resource').length;
    return [currentTime, readyState, buffered.length && buffered.end(buffered.length - 1), loaded, shown?.time].join(' ');
  };
  window.ready = () => of_stream.heights?.().length > 0 && video.readyState >= 2;
  window.choose = ({height, language}) => {
    heard = video.webkitAudioDecodedByteCount;
    of_stream.choose(height, language);
    video.play();
  };
  // With the sound of that language: some of it has been decoded since it was chosen.
  window.plays = ({height, language}) => shown?.height === height && video.readyState >= 2
    && of_stream.language() === language && video.webkitAudioDecodedByteCount > heard;
  window.stands = ({height, at}) => {
    if (sought && shown?.height === height && Math.abs(shown.time - at) < 0.02) {
      report.sound.push([of_stream.language(), video.webkitAudioDecodedByteCount]);
      return true;
    }
    // A seek that falls into a change of the rendition may end at a later key frame; the next one does not.
    if (!video.paused || (sought && shown && video.readyState === 4)) {
      video.pause();
      sought = false;
      shown = null;
      video.currentTime = at;
    }
    return false;
  };
  window.go_on = () => {
    video.playbackRate = 4;
    video.play();
  };
  players[kind]();

  function hls() {
    // By itself it asks for one key alone, out of the first box that it meets; where tracks have keys of their own, each has to be
    // asked for by its id, which the playlist has told.
    const generateRequest = (_type, _data, {decryptdata}) => {
      const kid = btoa(String.fromCharCode(...decryptdata.keyId)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
      return {initDataType: 'keyids', initData: new TextEncoder().encode(JSON.stringify({kids: [kid]})).buffer};
    };
    const drm = {emeEnabled: true, drmSystems: {'org.w3.clearkey': {licenseUrl: licence, ...(one_key ? {} : {generateRequest})}}};
    const player = new Hls({renderTextTracksNatively: false, ...(encrypted ? drm : {})});
    player.on(Hls.Events.ERROR, (_event, data) => {
      report.errors.push(data.details);
      if (data.fatal) report.fatal = `${data.details} ${data.error?.message}`;
    });
    of_stream = {
      heights: () => player.levels.map(level => level.height),
      language: () => player.audioTracks[player.audioTrack]?.lang,
      choose(height, language) {
        player.audioTrack = player.audioTracks.findIndex(track => track.lang === language);
        player.currentLevel = player.levels.findIndex(level => level.height === height);
      },
    };
    player.loadSource(url);
    player.attachMedia(video);
  }

  function shaka_player() {
    const player = new shaka.Player();
    // With prefetched initialization segments it gets into a loop where a rendition is chosen a second time.
    const streaming = {segmentPrefetchLimit: 0};
    player.configure({abr: {enabled: false}, streaming, ...(encrypted ? {drm: {clearKeys: keys}} : {})});
    player.addEventListener('error', ({detail}) => fail(detail));
    of_stream = {
      heights: () => player.getVariantTracks().map(track => track.height),
      language: () => player.getVariantTracks().find(track => track.active)?.language,
      choose(height, language) {
        const track = player.getVariantTracks().find(one => one.height === height && one.language === language);
        player.selectVariantTrack(track, true);
      },
    };
    player.attach(video).then(() => player.load(url)).catch(fail);
    function fail(error) {
      report.errors.push(`shaka ${error.code}`);
      if (error.severity !== shaka.util.Error.Severity.RECOVERABLE) report.fatal = `shaka ${error.code} ${error.data}`;
    }
  }

  function dash() {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({streaming: {abr: {autoSwitchBitrate: {video: false, audio: false}}}});
    player.on('error', event => {
      report.errors.push(String(event.error?.message ?? event.error));
      report.fatal = `dash ${event.error?.message ?? event.error}`;
    });
    player.on('playbackEnded', () => { report.ended = true; });
    let active = false;
    player.on('streamInitialized', () => { active = true; });
    of_stream = {
      heights: () => active ? player.getRepresentationsByType('video').map(one => one.height) : [],
      language: () => player.getCurrentTrackFor('audio')?.lang,
      choose(height, language) {
        const track = player.getTracksFor('audio').find(one => one.lang === language);
        if (track !== player.getCurrentTrackFor('audio')) player.setCurrentTrack(track);
        const number = player.getRepresentationsByType('video').findIndex(one => one.height === height);
        player.setRepresentationForTypeByIndex('video', number, true);
      },
    };
    player.initialize(video, null, false);
    if (encrypted) player.setProtectionData({'org.w3.clearkey': {clearkeys: encoded}});
    player.attachSource(url);
  }
}
