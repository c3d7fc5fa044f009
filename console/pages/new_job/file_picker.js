import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { bytes, lasting } from "../../lib/format.js";
import { Channel, Failed } from "../../components/basics.js";
import { Icon } from "../../components/icon.js";
import { send } from "./upload.js";

/** Takes a file by drag and drop or by choice, and uploads it. @param {{org: string, upload: any, onUpload: (upload: any) => void}} props */
export function FilePicker({ org, upload, onUpload }) {
  const [state, setState] = useState(null);
  const [over, setOver] = useState(false);
  const input = useRef(null);
  const stop = useRef(null);
  useEffect(() => () => stop.current?.abort(), []);

  const begin = async file => {
    stop.current?.abort();
    const mine = (stop.current = new AbortController());
    const begun = Date.now();
    onUpload(null);
    setState({ file, sent: 0, begun, error: null });
    try {
      const done = await send(org, file, { signal: mine.signal, onProgress: sent => setState(old => ({ ...old, sent })) });
      setState(null);
      onUpload({ ...done, filename: file.name });
    } catch (error) {
      if (!mine.signal.aborted) setState(old => ({ ...old, error }));
    }
  };
  const drop = event => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) begin(file);
  };
  const hold = event => {
    event.preventDefault();
    setOver(true);
  };
  const giveUp = () => {
    stop.current?.abort();
    setState(null);
  };

  if (state && !state.error) return html`<${Sending} ...${state} giveUp=${giveUp} />`;
  return html`<div class="stack">
    ${state?.error && html`<${Failed} error=${state.error} again=${() => begin(state.file)} />`}
    ${upload
      ? html`<div class="uploaded row spread"><span class="row"><${Icon} name="check" /><span class="break"><strong>${upload.filename}</strong> <span class="soft">${bytes(upload.size)}, uploaded</span></span></span><button type="button" class="button small" onClick=${() => onUpload(null)}>Another file</button></div>`
      : html`<div class="drop ${over ? "over" : ""}" onDragOver=${hold} onDragEnter=${hold} onDragLeave=${() => setOver(false)} onDrop=${drop}>
          <${Icon} name="upload" />
          <p><strong>Drop a video here</strong></p>
          <p><button type="button" class="button" onClick=${() => input.current.click()}>Choose a file</button></p>
          <p class="soft small">It goes straight into the organization's bucket.</p>
          <input ref=${input} type="file" accept="video/*,audio/*,.mkv,.ts,.mxf,.mov" hidden aria-label="Video file" onChange=${event => event.target.files[0] && begin(event.target.files[0])} />
        </div>`}
  </div>`;
}

function Sending({ file, sent, begun, giveUp }) {
  const percent = Math.floor((100 * sent) / file.size);
  const rate = (1000 * sent) / Math.max(Date.now() - begun, 1);
  const left = rate > 0 && sent < file.size ? `, ${lasting((file.size - sent) / rate)} left` : "";
  return html`<div class="stack tight sending">
    <div class="row spread"><strong class="break">${file.name}</strong><button type="button" class="button small" onClick=${giveUp}>Stop</button></div>
    <${Channel} value=${percent} label="Upload of ${file.name}" />
    <p class="soft small" >${bytes(sent)} of ${bytes(file.size)} · ${bytes(rate)}/s${left}</p>
  </div>`;
}
