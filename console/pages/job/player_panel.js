// The player of a completed job, which comes when it is asked for: it is as large as all the rest of the console.
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { Failed, Notice, Panel } from "../../components/basics.js";
import { Icon } from "../../components/icon.js";

/** @param {{org: string, job: any}} props */
export function PlayerPanel({ org, job }) {
  const [wanted, setWanted] = useState(false);
  const [level, setLevel] = useState("");
  const [error, setError] = useState(null);
  const box = useRef(null);
  useEffect(() => {
    if (!wanted) return undefined;
    let player = null;
    let over = false;
    const begin = async () => {
      const [{ makePlayer }, places] = await Promise.all([import("./player.js"), get(`v1/${org}/transcoding_jobs/${job.id}/playback/`)]);
      if (over) return;
      player = await makePlayer(box.current, places, { onLevel: setLevel, onError: setError });
      if (over) player.stop();
    };
    begin().catch(setError);
    return () => {
      over = true;
      player?.stop();
    };
  }, [wanted, job.id]);
  if (job.encryption === "cbcs")
    return html`<${Panel} title="Player"><${Notice}><p>This output is encrypted for DRM. It plays where a licence server gives keys for content <span class="mono break">${job.drm_content_id}</span>.</p><//><//>`;
  return html`<section class="panel player" aria-label="Player">
    <div class="screen" ref=${box}>
      ${!wanted && html`<button class="start" onClick=${() => setWanted(true)}><${Icon} name="play" /><span>Play</span></button>`}
    </div>
    ${error && html`<div class="body"><${Failed} error=${error} again=${() => (setError(null), setWanted(false))} /></div>`}
    <footer class="row spread small soft"><span>${wanted ? level || "Loading …" : job.end_time ? "As viewers get it, out of your bucket" : "As far as it is made, and on as it grows"}</span></footer>
  </section>`;
}
