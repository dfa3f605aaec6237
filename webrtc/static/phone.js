/** The phone page: a form, a call, what is said in it, its result. */

import {CallError, IvrCall} from "./client.js";
import {Captions} from "./phone/captions.js";
import {at, make, show} from "./phone/dom.js";
import {CallForm} from "./phone/form.js";
import {Keypad} from "./phone/keypad.js";
import {firstLanguage, inWords, speak, t} from "./phone/texts.js";
import {totalOf, waterfall} from "./phone/waterfall.js";

const QUALITY_MS = 2000;
const OFFER_S = 10;
const KEPT = "ivr-phone";
const SAID = ["caption", "cut", "key", "language", "queued", "connected", "error"];

const form = new CallForm();
const captions = new Captions();
const keypad = new Keypad((key) => call?.sendKey(key));

/** @type {IvrCall | null} */
let call = null;
let turn = null; // the last one
let ended = null; // how the last call ended
let leaving = false; // who is here has hung up
let results = {}; // the kinds of a flow's results, by flow
let screen = null; // kept awake during a call

// --- beginning and end of a call

async function begin(request) {
  at("refusal").hidden = true;
  call = listenTo(new IvrCall());
  captions.begin();
  keep({flow: request.flow});
  enterCall(request.flow);
  try {
    await call.start(request);
  } catch (error) {
    refused(error);
  }
}

async function resume() {
  const {call_id} = IvrCall.kept();
  call = listenTo(new IvrCall());
  captions.restore(call_id);
  enterCall(kept().flow ?? "");
  try {
    await call.resume();
  } catch (error) {
    refused(error);
  }
}

/** @param {IvrCall} made */
function listenTo(made) {
  const on = (type, handler) => made.addEventListener(type, ({detail}) => made === call && handler(detail));
  on("state", drawState);
  on("ready", (event) => captions.take(event));
  for (const type of SAID) on(type, (event) => captions.take(event));
  on("step", ({step}) => (at("about-step").textContent = t("step", {step})));
  on("turn", (event) => drawTurn((turn = event)));
  on("blocked", () => (at("blocked").hidden = false));
  on("ended", over);
  return made;
}

function enterCall(flow) {
  turn = ended = null;
  leaving = false;
  show("status", "talk", "pad");
  at("about-flow").textContent = inWords(flow);
  at("about-step").textContent = at("quality").textContent = at("timer").textContent = "";
  at("blocked").hidden = true;
  at("mute").disabled = at("hangup").disabled = false;
  at("levels").hidden = at("quality").hidden = false;
  drawMute();
  drawState();
  at("state").focus();
  navigator.wakeLock?.request("screen").then(
    (lock) => (screen = lock),
    () => undefined,
  );
  requestAnimationFrame(drawLevels);
  void watchQuality(call);
}

function refused(error) {
  leave();
  toForm();
  at("call").focus();
  if (error.code === "cancelled") return;
  const words = t(`error_${error.code}`, {s: error.retryAfter_s ?? 10}) || error.message;
  if (!(error instanceof CallError)) console.error(error);
  const blamed = error.code === "invalid" && form.blame(error.fields);
  at("refusal").textContent = blamed ? t("error_invalid") : error.code === "invalid" ? error.message : words;
  at("refusal").hidden = false;
}

function over(event) {
  leave();
  ended = event;
  show("status", "talk", "outcome", ...(turn ? ["turn"] : []));
  at("levels").hidden = at("quality").hidden = at("blocked").hidden = true;
  drawState();
  drawOutcome();
  at("state").focus();
}

function leave() {
  captions.end();
  keypad.rest();
  screen?.release().catch(() => undefined);
  screen = null;
}

function toForm() {
  call = null;
  show("setup", "intro");
  document.body.dataset.view = "setup";
}

// --- drawing

function drawState() {
  const state = call?.state ?? "idle";
  document.body.dataset.state = state;
  document.body.dataset.view = ended ? "ended" : "call";
  at("state-words").textContent = t(`state_${state === "idle" ? "connecting" : state}`);
  if (ended) at("about-step").textContent = t(`cause_${leaving ? "hangup" : ended.cause}`) || ended.cause;
}

function drawMute() {
  at("mute").setAttribute("aria-pressed", String(call?.muted ?? false));
}

function drawLevels() {
  if (call === null || at("pad").hidden) return;
  const {microphone, speaker} = call.level();
  at("level-you").style.transform = `scaleX(${microphone.toFixed(3)})`;
  at("level-server").style.transform = `scaleX(${speaker.toFixed(3)})`;
  if (call.began !== null) at("timer").textContent = clock(Date.now() - call.began);
  requestAnimationFrame(drawLevels);
}

function drawTurn() {
  if (turn === null) return;
  at("turn").hidden = false;
  at("turn-total").textContent = totalOf(turn);
  const width = at("waterfall").clientWidth;
  if (width > 0) at("waterfall").replaceChildren(waterfall(turn, width));
}

function drawOutcome() {
  const kinds = results[kept().flow ?? ""] ?? {};
  const entries = Object.entries(ended.result ?? {});
  const rows = entries.flatMap(([name, value]) => {
    const empty = value === null || value === undefined || value === "";
    return [make("dt", {}, inWords(name)), make("dd", {class: empty ? "none" : ""}, empty ? t("nothing") : shown(value, kinds[name]))];
  });
  at("result").replaceChildren(...(rows.length > 0 ? rows : [make("dt", {}, t("no_result")), make("dd")]));
}

function shown(value, kind) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (Array.isArray(value)) return value.join(", ");
  if (kind === "rupees") return `₹${Number(value).toLocaleString("en-IN", {minimumFractionDigits: Number.isInteger(value) ? 0 : 2})}`;
  if (kind === "percent") return `${value} %`;
  if (kind === "minutes") return t("minutes", {n: value});
  return kind === "one_of" ? inWords(String(value)) : String(value);
}

async function watchQuality(watched) {
  while (call === watched && watched.state !== "ended") {
    const quality = await watched.quality().catch(() => null);
    if (quality?.codec && quality.rtt_ms !== null) {
      const lost = (100 * quality.lost) / Math.max(1, quality.lost + quality.received);
      const codec = quality.codec.replace("audio/", "").replace("opus", "Opus");
      at("quality").textContent = t("line", {codec, rtt: Math.round(quality.rtt_ms), lost: lost.toFixed(1)});
    }
    await new Promise((resolve) => setTimeout(resolve, QUALITY_MS));
  }
}

function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// --- what a tab keeps of its call besides what client.js keeps

function keep(about) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(about));
  } catch {
    // then the name of the flow is missing after the page is loaded anew
  }
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

// --- the page

async function offer() {
  const answer = await fetch("api/voice/phone", {signal: AbortSignal.timeout(OFFER_S * 1000), cache: "no-store"});
  const told = await answer.json();
  if (!answer.ok) throw new CallError("not-allowed", told.detail ?? "");
  return told.flows;
}

function closed(words, more) {
  show("notice");
  at("notice").replaceChildren(make("h2", {}, words), make("p", {}, more));
}

async function open() {
  let flows;
  try {
    flows = await offer();
  } catch (error) {
    return closed(t("closed"), error.code === "not-allowed" ? error.message : t("error_unreachable"));
  }
  if (flows.length === 0) return closed(t("closed"), t("no_flows"));
  results = Object.fromEntries(flows.map(({flow, result}) => [flow, result]));
  form.offer(flows);
  if (IvrCall.kept() !== null) await resume();
  else toForm();
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void begin(form.request);
});
at("again").addEventListener("click", () => {
  toForm();
  at("call").focus();
});
at("hangup").addEventListener("click", () => {
  at("hangup").disabled = leaving = true;
  void call?.hangUp();
});
at("mute").addEventListener("click", () => {
  call.muted = !call.muted;
  drawMute();
});
at("play").addEventListener("click", () => {
  at("blocked").hidden = true;
  void call?.play();
});
at("tongue").addEventListener("change", ({target}) => {
  speak(target.value);
  form.redraw();
  keypad.redraw();
  captions.redraw();
  if (call) drawState();
  if (ended) drawOutcome();
  drawTurn();
});
new ResizeObserver(() => drawTurn()).observe(at("waterfall"));

speak((at("tongue").value = firstLanguage()));
keypad.redraw();
void open();
