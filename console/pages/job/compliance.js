import { html } from "../../lib/html.js";
import { count, plural } from "../../lib/format.js";
import { Notice, Panel } from "../../components/basics.js";
import { Icon } from "../../components/icon.js";

/** What the check of the output found before the job was completed. @param {{found: any}} props */
export function Compliance({ found }) {
  const chip = found.ok ? html`<span class="chip good"><${Icon} name="check" />Passed</span>` : html`<span class="chip bad"><${Icon} name="cross" />Violations</span>`;
  return html`<${Panel} title="Compliance" actions=${chip}>
    <div class="stack tight">
      <p>${count(found.checked)} rules of HLS, DASH and CMAF hold${found.violations.length > 0 ? html`, but for ${plural(new Set(found.violations.map(one => one.rule)).size, "rule")}:` : "."} ${found.skipped > 0 && html`<span class="soft">${count(found.skipped)} more need every byte of every segment; <code>millrace check</code> applies those.</span>`}</p>
      ${found.violations.map(
        (one, index) => html`<${Notice} key=${index} kind=${one.severity === "must" ? "bad" : "warn"}>
          <p>${one.text}</p>
          <p class="small break">${one.where}: ${one.measured}, where ${one.expected} is expected <span class="soft mono">${one.rule}</span></p>
        <//>`,
      )}
    </div>
  <//>`;
}
