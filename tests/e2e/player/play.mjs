// Plays a stream in headless Chromium to its end and prints what happened as one JSON object.
//
//   node play.mjs hls|dash|shaka URL CHROMIUM SCREENSHOT [SPEED [SOUND]]
//
// SOUND is a file that gets what is heard, as the 32-bit floats of one channel at 48 kHz; the report tells its clock then.
// The page and the player's script are served from a loopback port; the stream's server has to allow other origins.
import {writeFile} from 'node:fs/promises';
import {PATIENCE, launch, serve} from './pages.mjs';

const [kind, url, executablePath, screenshot, speed = '4', sound = ''] = process.argv.slice(2);
const {server, origin} = await serve(sound ? '' : 'muted');
const browser = await launch(executablePath, {autoplay: true});
try {
  const page = await browser.newPage({viewport: {width: 960, height: 540}});
  await page.goto(`${origin}/${kind}.html`);
  if (sound) await page.evaluate(listen);
  await page.evaluate(start_player, {kind, url, speed: Number(speed)});
  await reached(page, report => report.currentTime > 3);
  await page.screenshot({path: screenshot});
  await reached(page, () => false);
  if (sound) await writeFile(sound, Buffer.from(await page.evaluate(() => window.heard()), 'base64'));
  console.log(JSON.stringify(await page.evaluate(() => window.report)));
} catch (error) {
  const report = (await browser.contexts()[0]?.pages()[0]?.evaluate(() => window.report).catch(() => null)) ?? {};
  console.log(JSON.stringify({...report, fatal: report.fatal ?? String(error)}));
} finally {
  await browser.close();
  server.close();
}

// Waits for something in the report, for the end, or for an error, as long as the player gets on.
async function reached(page, condition) {
  let before = '', since = Date.now();
  for (;;) {
    const {report, state} = await page.evaluate(() => ({report: window.report, state: window.state()}));
    if (report.ended || report.fatal || condition(report)) return;
    if (state !== before) [before, since] = [state, Date.now()];
    if (Date.now() - since > PATIENCE) throw new Error(`the player stands still at ${state}`);
    await page.waitForTimeout(200);
  }
}

// Runs inside the page: takes down every sample of the element's sound, and which instant of the media is when.
async function listen() {
  const video = document.getElementById('video'), context = new AudioContext({sampleRate: 48_000}), blocks = [], clock = [];
  const tap = `registerProcessor('tap', class extends AudioWorkletProcessor {
    process([[channel]]) {
      if (channel) this.port.postMessage({frame: currentFrame, samples: channel.slice()});
      return true;
    }
  });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([tap], {type: 'text/javascript'})));
  const node = new AudioWorkletNode(context, 'tap');
  node.port.onmessage = ({data}) => blocks.push(data);
  // Nothing is pulled through a graph that does not lead to the destination.
  context.createMediaElementSource(video).connect(node).connect(new GainNode(context, {gain: 0})).connect(context.destination);
  await context.resume();
  const timer = setInterval(() => {
    if (!video.paused && !video.seeking && video.currentTime) clock.push([context.currentTime, video.currentTime]);
  }, 5);
  window.heard = async () => {
    clearInterval(timer);
    const first = blocks[0].frame, last = blocks.at(-1);
    const samples = new Float32Array(last.frame + last.samples.length - first);
    for (const block of blocks) samples.set(block.samples, block.frame - first);
    Object.assign(window.report, {clock, sound_start: first / context.sampleRate});
    const url = await new Promise(resolve => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(new Blob([samples]));
    });
    return url.slice(url.indexOf(',') + 1);
  };
}

// Runs inside the page.
function start_player({kind, url, speed}) {
  const video = document.getElementById('video');
  const report = window.report = {
    ended: false, fatal: null, errors: [], currentTime: 0, duration: 0, stalls: 0, levels: [], widths: [], gaps: 0,
    subtitles: 0, texts: [], listed: [],
  };
  // What changes while a player gets on, even before it shows anything.
  window.state = () => {
    const {currentTime, readyState, buffered} = video;
    const loaded = performance.getEntriesByType('resource').length;
    return [currentTime, readyState, buffered.length && buffered.end(buffered.length - 1), loaded].join(' ');
  };
  video.addEventListener('ended', end);
  video.addEventListener('waiting', () => { report.stalls += 1; });
  video.addEventListener('error', () => { report.fatal = video.error?.message ?? 'media error'; });
  video.addEventListener('timeupdate', update);
  video.playbackRate = video.defaultPlaybackRate = speed;
  if (kind === 'hls') {
    // Texts come as events, those of closed captions as well, and not only once they are shown.
    const player = new Hls({startLevel: -1, renderTextTracksNatively: false});
    player.on(Hls.Events.CUES_PARSED, (_event, {type, cues}) => {
      report.texts.push({kind: type, cues: [...cues].map(one_cue)});
    });
    // As if the viewer chose it; before that the player makes its own choice, which is none.
    video.addEventListener('loadeddata', () => { if (report.subtitles) player.subtitleTrack = 0; });
    player.on(Hls.Events.MANIFEST_PARSED, (_event, data) => {
      report.levels = data.levels.map(({height, width, codecs, bitrate}) => ({height, width, codecs, bitrate}));
      report.audio = player.allAudioTracks.length;
      report.subtitles = player.allSubtitleTracks.length;
      video.play();
    });
    // Of playlists that grow, each length that it has seen.
    player.on(Hls.Events.LEVEL_LOADED, (_event, {details}) => {
      report.listed.push({live: details.live, segments: details.fragments.length});
    });
    player.on(Hls.Events.ERROR, (_event, data) => {
      report.errors.push(data.details);
      if (data.fatal) report.fatal = data.details;
    });
    player.loadSource(url);
    player.attachMedia(video);
  } else if (kind === 'shaka') {
    // It plays HLS as well as DASH.
    const player = new shaka.Player();
    player.addEventListener('error', ({detail}) => fail(detail));
    player.attach(video).then(() => player.load(url)).then(() => {
      report.levels = player.getVariantTracks().map(({height, width, codecs, bandwidth}) => ({height, width, codecs, bandwidth}));
      video.play();
    }).catch(fail);
    function fail(error) {
      report.errors.push(`shaka ${error.code}`);
      if (error.severity !== shaka.util.Error.Severity.RECOVERABLE) report.fatal = `shaka ${error.code} ${error.data}`;
    }
  } else {
    const player = dashjs.MediaPlayer().create();
    // It takes a stall of a busy machine for a gap and leaps to the end; a real gap has to bring it to a stand here.
    player.updateSettings({streaming: {gaps: {jumpGaps: false}}});
    player.on('error', event => { report.errors.push(String(event.error?.message ?? event.error)); report.fatal = 'dash error'; });
    player.on('streamInitialized', () => {
      report.levels = player.getRepresentationsByType('video').map(({height, width, codecs}) => ({height, width, codecs}));
      report.audio = player.getTracksFor('audio').length;
      report.subtitles = player.getTracksFor('text').length;
      if (report.subtitles) player.setTextTrack(0);
    });
    // It looks at the clock by itself, and where it is the first to see the end, the element never says so.
    player.on('playbackEnded', end);
    player.on('playbackStarted', () => { video.playbackRate = speed; });
    player.initialize(video, url, true);
  }
  function end() {
    update();
    report.ended = true;
  }
  function update() {
    if (report.ended) return;
    if (kind === 'dash') read_texts();
    report.currentTime = video.currentTime;
    report.duration = video.duration;
    report.gaps = Math.max(report.gaps, video.buffered.length - 1);
    if (!report.widths.includes(video.videoWidth)) report.widths.push(video.videoWidth);
    const quality = video.getVideoPlaybackQuality();
    report.frames = quality.totalVideoFrames;
    report.corrupted = quality.corruptedVideoFrames;
  }
  // dash.js has only those cues in its tracks that are near.
  function read_texts() {
    for (const {kind, cues} of video.textTracks) {
      if (cues?.length) report.texts.push({kind, cues: [...cues].map(one_cue)});
    }
  }
  function one_cue({startTime, endTime, text}) {
    return [startTime, endTime, text];
  }
}
