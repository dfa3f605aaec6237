/** The keypad: by finger, mouse and keyboard, with the tones of a telephone. */

import {at, make} from "./dom.js";
import {t} from "./texts.js";

const LETTERS = {1: "", 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ", "*": "", 0: "", "#": ""};
const ORDER = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const ROWS_HZ = [697, 770, 852, 941]; // ITU-T Q.23
const COLUMNS_HZ = [1209, 1336, 1477];
const TONE_S = 0.11;
const LOUDNESS = 0.05;

export class Keypad {
  #buttons = new Map();
  #pressed;
  #context = null;

  /** @param {(key: string) => void} pressed */
  constructor(pressed) {
    this.#pressed = pressed;
    for (const key of ORDER) {
      const button = make("button", {type: "button"}, key, make("small", {"aria-hidden": "true"}, LETTERS[key]));
      button.addEventListener("click", () => this.press(key));
      this.#buttons.set(key, button);
    }
    at("keys").append(...this.#buttons.values());
    document.addEventListener("keydown", (event) => this.#typed(event));
    this.redraw();
  }

  redraw() {
    for (const [key, button] of this.#buttons) button.setAttribute("aria-label", t("key", {key: spoken(key)}));
  }

  press(key) {
    this.#tone(key);
    const button = this.#buttons.get(key);
    button.classList.add("down");
    setTimeout(() => button.classList.remove("down"), TONE_S * 1000);
    this.#pressed(key);
  }

  /** No call any more: no tones either. */
  rest() {
    this.#context?.close().catch(() => undefined);
    this.#context = null;
  }

  /** @param {KeyboardEvent} event */
  #typed(event) {
    const {key, target} = event;
    if (at("pad").hidden || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!this.#buttons.has(key) || target.closest?.("input, select, textarea")) return;
    event.preventDefault();
    this.press(key);
  }

  #tone(key) {
    this.#context ??= new AudioContext();
    const place = ORDER.indexOf(key);
    const now = this.#context.currentTime;
    const gain = new GainNode(this.#context, {gain: 0});
    gain.gain.setTargetAtTime(LOUDNESS, now, 0.004);
    gain.gain.setTargetAtTime(0, now + TONE_S, 0.008);
    gain.connect(this.#context.destination);
    for (const frequency of [ROWS_HZ[Math.floor(place / 3)], COLUMNS_HZ[place % 3]]) {
      const tone = new OscillatorNode(this.#context, {frequency});
      tone.connect(gain);
      tone.start(now);
      tone.stop(now + TONE_S + 0.06);
    }
  }
}

function spoken(key) {
  return {"*": "star *", "#": "hash #"}[key] ?? key;
}
