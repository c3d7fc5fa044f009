import { html } from "../../lib/html.js";
import { bitRate, bytes, count, plural } from "../../lib/format.js";
import { CopyButton, Panel, TableBox } from "../../components/basics.js";

/** What was made. @param {{outputs: any}} props */
export function Renditions({ outputs }) {
  const most = Math.max(...outputs.renditions.map(one => one.peak_bitrate), 1);
  const rows = [
    ...outputs.renditions.map(one => ({ ...one, name: one.resolution, size: `${one.width}×${one.height}`, rate: one.frame_rate })),
    ...outputs.audio.map(one => ({ ...one, name: one.language ? `${one.name} (${one.language})` : one.name, size: "audio" })),
  ];
  const subtitles = outputs.subtitles ?? [];
  return html`<${Panel} title="Renditions" bare actions=${html`<${CopyButton} text=${outputs.master} label="Copy the playlist's place" />`}>
    <${TableBox}><table class="cards">
      <thead><tr><th>Rendition</th><th>Picture</th><th class="right">Frames/s</th><th>Bit rate <span class="soft">average, peak</span></th><th>Codec</th><th class="right">Size</th></tr></thead>
      <tbody>
        ${rows.map(
          row => html`<tr key=${row.playlist}>
            <td><strong>${row.name}</strong></td>
            <td data-label="Picture">${row.size}</td>
            <td data-label="Frames/s" class="right">${row.rate ? Math.round(row.rate * 1000) / 1000 : ""}</td>
            <td data-label="Bit rate"><span class="rate" title="average ${bitRate(row.average_bitrate)}, peak ${bitRate(row.peak_bitrate)}"><span class="nowrap">${bitRate(row.average_bitrate)}</span><span class="bars" aria-hidden="true"><i style=${{ width: `${(100 * row.peak_bitrate) / most}%` }}></i><b style=${{ width: `${(100 * row.average_bitrate) / most}%` }}></b></span></span></td>
            <td data-label="Codec" class="mono small">${row.codecs}</td>
            <td data-label="Size" class="right nowrap">${bytes(row.bytes)}</td>
          </tr>`,
        )}
      </tbody>
    </table><//>
    <footer class="soft small row spread">
      <span>${plural(outputs.segments, "segment")} · ${bytes(outputs.bytes)}${subtitles.length > 0 && html` · subtitles ${subtitles.map(one => one.language ?? one.name).join(", ")}`}</span>
      <span>HLS${outputs.dash && " and DASH"}${outputs.thumbnails.length > 0 && html` · ${count(outputs.thumbnails.length)} stills`}${outputs.sprite && " · sprite"}</span>
    </footer>
  <//>`;
}
