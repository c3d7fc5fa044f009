// Bars over time, drawn by uPlot in the colours of the theme.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";
import uPlot from "../vendor/uplot.js";

const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = new URL("../vendor/uplot.css", import.meta.url).href;
document.head.append(sheet);

const HEIGHT = 210;
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @param {{label: string, times: number[], series: {name: string, color: string, values: number[]}[], format: (value: number) => string,
 *   name: (time: number) => string}} props times: seconds since 1970; series: stacked, the first one below
 */
export function BarChart({ label, times, series, format, name }) {
  const box = useRef(null);
  const key = JSON.stringify([times, series]);
  const latest = useRef(null);
  const [pointed, point] = useState(null);
  const draw = () => {
    latest.current?.destroy();
    const stacked = stack(series.map(one => one.values));
    latest.current = new uPlot(options(box.current.clientWidth, series, format, name, point), [times, ...stacked.toReversed()], box.current);
  };
  useLayoutEffect(() => {
    draw();
    const sizes = new ResizeObserver(() => latest.current?.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    sizes.observe(box.current);
    return () => {
      sizes.disconnect();
      latest.current?.destroy();
      latest.current = null;
    };
  }, [key]);
  useEffect(() => {
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => themes.disconnect();
  }, [key]);
  const newest = series[0].values.findLastIndex((_, index) => series.some(one => one.values[index]));
  const told = pointed ?? newest;
  return html`<figure class="chart">
    <div ref=${box} role="img" aria-label=${label}></div>
    <figcaption class="legend small"><span class="nowrap">${told < 0 ? "" : name(times[told])}</span>${series.map(one => html`<span key=${one.name}><i class="swatch" style=${{ background: `var(${one.color})` }}></i>${series.length > 1 && `${one.name} `}<strong>${told < 0 ? "–" : format(one.values[told])}</strong></span>`)}</figcaption>
  </figure>`;
}

/** Each on top of those before it. @param {number[][]} rows */
function stack(rows) {
  const sums = rows[0].map(() => 0);
  return rows.map(row => row.map((value, index) => (sums[index] += value)));
}

function options(width, series, format, name, point) {
  const axis = { stroke: color("--ink-soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: `12px ${color("--font")}` };
  // Those behind are drawn first: the whole stack, then what is below its top.
  const bars = series.toReversed().map(one => ({
    label: one.name,
    fill: color(one.color),
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars({ size: [0.7, 46], radius: 0.08 }),
  }));
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { setScale: false } },
    scales: { x: { time: false, range: (plot, low, high) => edges(low, high, plot.data[0].length) }, y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1e-9)] } },
    series: [{}, ...bars],
    hooks: { setCursor: [plot => point(plot.cursor.idx ?? null)] },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: (_, values) => values.map(name), splits: plot => thinned(plot.data[0], Math.max(2, Math.floor(width / 110))) },
      { ...axis, size: 64, values: (_, values) => values.map(format) },
    ],
  };
}

const edges = (low, high, count) => {
  const half = count > 1 ? (high - low) / (count - 1) / 2 : 43200;
  return [low - half, high + half];
};

const thinned = (values, most) => {
  const step = Math.ceil(values.length / most);
  return values.filter((_, index) => index % step === 0);
};
