// Opens a page with a video element in headless Chromium, plays it to the end and prints what happened as one JSON object.
//
//   node page.mjs URL CHROMIUM SCREENSHOT [TEXT]
//
// With TEXT it stops once the page says that.
import {chromium} from 'playwright-core';

const [url, executablePath, screenshot, text = ''] = process.argv.slice(2);
// How long the video may stand still, in milliseconds.
const PATIENCE = 60_000;

const browser = await chromium.launch({executablePath, timeout: 2 * PATIENCE, args: ['--no-sandbox', '--disable-gpu',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']});
try {
  const page = await browser.newPage({viewport: {width: 960, height: 720}});
  const requests = [];
  page.on('request', request => requests.push(request.url()));
  await page.goto(url);
  const state = () => page.evaluate(() => {
    const video = document.querySelector('video');
    const {currentTime, duration, ended, readyState, videoWidth, videoHeight} = video;
    if (readyState >= 2 && video.paused && !ended) { video.muted = true; video.playbackRate = 4; video.play(); }
    return {currentTime, duration, ended, readyState, videoWidth, videoHeight, text: document.body.innerText,
      error: video.error?.message ?? null, dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
      frames: video.getVideoPlaybackQuality().totalVideoFrames};
  });
  let now = await state(), moved = Date.now(), shot = false;
  while (!now.ended && !now.error && !(text && now.text.includes(text)) && Date.now() - moved < PATIENCE) {
    await page.waitForTimeout(100);
    const next = await state();
    if (next.currentTime !== now.currentTime || next.readyState !== now.readyState) moved = Date.now();
    now = next;
    if (!shot && now.currentTime > 1) shot = await page.screenshot({path: screenshot});
  }
  console.log(JSON.stringify({...now, requests}));
} finally {
  await browser.close();
}
