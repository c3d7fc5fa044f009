// What the scripts beside this share: Chromium, and a page on loopback with the players' scripts.
import {createServer} from 'node:http';
import {readFile} from 'node:fs/promises';
import {chromium} from 'playwright-core';

const SCRIPTS = {
  hls: 'node_modules/hls.js/dist/hls.min.js',
  dash: 'node_modules/dashjs/dist/modern/umd/dash.all.min.js',
  shaka: 'node_modules/shaka-player/dist/shaka-player.compiled.js',
};

// How long a player may stand still, in milliseconds: what is still getting on is left alone, however slow the machine is.
export const PATIENCE = 60_000;

// autoplay: videos with sound begin without a click, which a person's browser would not let them.
export function launch(executablePath, {timeout = 2 * PATIENCE, autoplay = false} = {}) {
  return chromium.launch({
    executablePath, timeout,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', ...(autoplay ? ['--autoplay-policy=no-user-gesture-required'] : [])],
  });
}

// Serves `/<kind>.html` with a video element and the script of that player, and what `more` knows: it gets path, request and
// response, and answers whether that was for it. The stream's server has to allow other origins.
export async function serve(video_attributes, more = async () => false) {
  const server = createServer(async (request, response) => {
    const [, kind, suffix] = /^\/(\w+)\.(html|js)$/.exec(request.url) ?? [];
    if (SCRIPTS[kind] && suffix === 'js') {
      response.writeHead(200, {'content-type': 'text/javascript'});
      response.end(await readFile(new URL(SCRIPTS[kind], import.meta.url)));
    } else if (SCRIPTS[kind]) {
      response.writeHead(200, {'content-type': 'text/html'});
      response.end(`<!doctype html><body style="margin:0;background:#222">
<video id="video" ${video_attributes} playsinline style="width:100%"></video><script src="/${kind}.js"></script></body>`);
    } else if (!await more(request, response)) {
      response.writeHead(404).end();
    }
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {server, origin: `http://127.0.0.1:${server.address().port}`};
}
