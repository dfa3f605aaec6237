/** Where the time went between the end of a caller's words, or a key, and the first packet of the reply. */

import {draw} from "./dom.js";
import {t} from "./texts.js";

const ORDER = ["key", "speech_end", "pause", "endpoint", "final", "intent", "first_token", "first_sentence", "first_audio", "first_packet"];
const LOOKS = {
  pause: "waited",
  endpoint: "waited",
  final: "heard",
  intent: "thought",
  first_token: "thought",
  first_sentence: "thought",
  first_audio: "spoken",
  first_packet: "spoken",
};
const ROW = 26;
const FIGURE = 64; // room for "1234 ms"

/**
 * @param {{trigger?: string, reply_ms?: number | null, ms: Object<string, number>, by?: Object<string, string>}} turn
 * @param {number} width in pixels
 * @returns {SVGElement}
 */
export function waterfall(turn, width) {
  const bars = barsOf(turn);
  const label = Math.min(230, width * 0.4);
  const end = Math.max(1, ...bars.map((bar) => bar.end));
  const scale = (width - label - FIGURE) / end;
  const height = bars.length * ROW + 4;
  const rows = bars.map((bar, row) => {
    const y = row * ROW;
    const x = label + bar.start * scale;
    const length = Math.max(2, (bar.end - bar.start) * scale);
    const name = draw("text", {x: "0", y: String(y + 18)}, bar.name);
    if (bar.by && width > 520) name.append(draw("tspan", {class: "faint", dx: "7"}, bar.by));
    return draw(
      "g",
      {},
      name,
      draw("rect", {class: bar.look, x: x.toFixed(1), y: String(y + 5), width: length.toFixed(1), height: "16", rx: "3"}),
      draw("text", {class: "faint", x: (x + length + 7).toFixed(1), y: String(y + 18)}, bar.figure),
    );
  });
  const grid = draw("path", {class: "grid", d: `M${label - 0.5} 0V${height}`});
  const words = bars.map((bar) => `${bar.name} ${bar.figure}`).join(", ");
  const picture = {viewBox: `0 0 ${width} ${height}`, width: String(width), height: String(height), role: "img"};
  return draw("svg", {...picture, "aria-label": `${totalOf(turn)}. ${words}`}, grid, ...rows);
}

/** The whole of it, in words: "412 ms". */
export function totalOf({reply_ms: reply}) {
  return reply === null || reply === undefined ? t("no_reply") : t("in_ms", {ms: figure(reply)});
}

/** Each stage as the span from the last one before it until it was reached, as `ivr trace` draws them. */
function barsOf({ms, by = {}}) {
  const bars = [];
  const passed = [];
  for (const stage of ORDER) {
    const at = ms[stage];
    if (at === undefined) continue;
    if (stage in LOOKS) {
      const start = Math.max(0, ...passed.filter((time) => time <= at));
      const took = t("in_ms", {ms: figure(at - start)});
      bars.push({name: t(`stage_${stage}`), look: LOOKS[stage], start, end: at, figure: took, by: by[stage] ?? ""});
    }
    passed.push(at);
  }
  return bars;
}

function figure(ms) {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
