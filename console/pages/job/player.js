// hls.js behind the controls of Media Chrome.
import { h, html, render } from "../../lib/html.js";
import { bitRate } from "../../lib/format.js";
import { adoptStyles } from "./adopt_styles.js";
import { Choices } from "./choices.js";

// Styles first: the elements draw themselves as soon as they are known.
adoptStyles();
const [{ default: Hls }] = await Promise.all([import("../../vendor/hls.js"), import("../../vendor/media-chrome.js")]);

/**
 * Play a presentation in an element.
 * @param {HTMLElement} box @param {{hls: string, sprite: string | null}} places
 * @param {{onLevel: (text: string) => void, onError: (error: Error) => void}} listeners
 */
export async function makePlayer(box, places, { onLevel, onError }) {
  const frame = document.createElement("div");
  box.replaceChildren(frame);
  render(h(Controls, { sprite: places.sprite }), frame);
  const video = frame.querySelector("video");
  const hls = Hls.isSupported() ? begin(Hls, video, places.hls, onLevel, onError) : null;
  if (!hls) video.src = places.hls;
  video.play().catch(() => {});
  return {
    stop() {
      hls?.destroy();
      render(null, frame);
    },
  };
}

function begin(Hls, video, address, onLevel, onError) {
  const hls = new Hls({ workerPath: new URL("../../vendor/hls.worker.js", import.meta.url).href, maxBufferLength: 20 });
  video.videoRenditions = new Choices(index => {
    hls.nextLevel = index;
  });
  hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) =>
    video.videoRenditions.fill(levels.map((level, index) => ({ id: String(index), width: level.width, height: level.height, bitrate: level.bitrate, frameRate: level.frameRate }))),
  );
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
    const { width, height, bitrate } = hls.levels[level];
    onLevel(`Playing ${Math.min(width, height)}p, ${width}×${height}, up to ${bitRate(bitrate)}${hls.autoLevelEnabled ? ", chosen automatically" : ""}`);
  });
  let mended = 0;
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, response }) => {
    if (!fatal) return;
    if (type === Hls.ErrorTypes.MEDIA_ERROR && (mended += 1) < 3) hls.recoverMediaError();
    else onError(new Error(`The stream cannot be played: ${details}${response?.code ? `, the storage answered ${response.code}` : ""}.`));
  });
  hls.loadSource(address);
  hls.attachMedia(video);
  return hls;
}

const Controls = ({ sprite }) => html`
  <media-controller defaultsubtitles="false" hotkeys="noarrowup noarrowdown">
    <video slot="media" playsinline muted crossorigin="anonymous" tabindex="-1">
      ${sprite && html`<track kind="metadata" label="thumbnails" default src=${sprite} />`}
    </video>
    <media-loading-indicator slot="centered-chrome" noautohide></media-loading-indicator>
    <media-rendition-menu hidden anchor="auto"></media-rendition-menu>
    <media-captions-menu hidden anchor="auto"></media-captions-menu>
    <media-control-bar>
      <media-play-button></media-play-button>
      <media-mute-button></media-mute-button>
      <media-volume-range></media-volume-range>
      <media-time-display showduration notoggle></media-time-display>
      <media-time-range></media-time-range>
      <media-captions-menu-button></media-captions-menu-button>
      <media-rendition-menu-button></media-rendition-menu-button>
      <media-fullscreen-button></media-fullscreen-button>
    </media-control-bar>
  </media-controller>`;
