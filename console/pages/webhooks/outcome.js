import { html } from "../../lib/html.js";
import { plural, instant } from "../../lib/format.js";
import { Icon } from "../../components/icon.js";

const OUTCOMES = {
  delivered: ["good", "check", "delivered"],
  failed: ["bad", "cross", "failed"],
  gave_up: ["bad", "cross", "given up"],
  superseded: ["", "stop", "superseded"],
  disabled: ["warn", "warning", "disabled"],
};
export const OUTCOME_NAMES = Object.entries(OUTCOMES).map(([name, [, , text]]) => [name, text]);

export function OutcomeChip({ outcome }) {
  const [kind, icon, text] = OUTCOMES[outcome] ?? ["", "info", outcome];
  return html`<span class="chip ${kind}"><${Icon} name=${icon} />${text}</span>`;
}

/** The last deliveries as a row of marks, the newest on the right. @param {{deliveries: any[]}} props */
export function Health({ deliveries }) {
  if (!deliveries.length) return html`<span class="soft small">nothing sent yet</span>`;
  const good = deliveries.filter(one => one.outcome === "delivered").length;
  const said = `${good} of the last ${plural(deliveries.length, "delivery", "deliveries")} arrived`;
  return html`<span class="health" role="img" aria-label=${said} title="${said}; the last on ${instant(deliveries[0].at)}">
    ${[...deliveries].reverse().map(one => html`<i key=${one.id} class=${OUTCOMES[one.outcome]?.[0]}></i>`)}
  </span>`;
}
