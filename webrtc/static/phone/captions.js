/** What both sides say, as it is said. */

import {at, make} from "./dom.js";
import {nameOf, t} from "./texts.js";

const KEPT = "ivr-captions";
const MOST = 200;
const NEAR_PX = 60;
const LATE_MS = 20; // a frame

export class Captions {
  #list = at("captions");
  #events = []; // drawn again when the page is loaded anew, or its language changes
  #call = "";
  #lang = "";
  #open = null; // the bubble of a caller who still speaks
  #prompts = []; // of the server, with when each was queued

  #following = true; // the end is in view, and stays there

  constructor() {
    this.#list.addEventListener("scroll", () => {
      this.#following = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < NEAR_PX;
    });
    new ResizeObserver(() => this.#follow()).observe(this.#list);
  }

  /** A new call, which has said nothing yet. */
  begin() {
    this.#events = [];
    this.#call = "";
    this.#clear();
  }

  /** The call that is going on, kept by this tab. */
  restore(call) {
    this.begin();
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
      if (kept?.call === call) kept.events.forEach((event) => this.take(event));
    } catch {
      // nothing was kept
    }
    this.#call = call;
  }

  /** The call is over: only the page has it still. */
  end() {
    this.#open?.remove();
    this.#open = null;
    try {
      sessionStorage.removeItem(KEPT);
    } catch {
      // nothing was kept
    }
  }

  redraw() {
    const events = this.#events;
    this.#events = [];
    this.#clear();
    events.forEach((event) => this.take(event));
  }

  /** @param {{type: string}} event of the call */
  take(event) {
    if (event.type === "ready") this.#call = event.call_id;
    this.#draw(event);
    while (this.#list.children.length > MOST) this.#list.firstChild.remove();
    this.#follow();
    this.#events = [...this.#events, event].slice(-MOST);
    this.#keep();
  }

  #follow() {
    if (this.#following) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #draw(event) {
    switch (event.type) {
      case "ready":
        this.#lang = event.language ?? "";
        break;
      case "language":
        this.#lang = event.language;
        this.#mark(t("changed_language", {language: nameOf(event.language)}));
        break;
      case "caption":
        if (event.who === "server") this.#server(event);
        else this.#caller(event);
        break;
      case "cut":
        this.#cut(event);
        break;
      case "key":
        this.#key(event.key);
        break;
      case "queued":
        this.#mark(t("queued", {place: event.place}));
        break;
      case "connected":
        this.#mark(t("connected"));
        break;
      case "error":
        this.#mark(event.detail);
        break;
    }
  }

  #server({text, at_ms}) {
    const bubble = this.#bubble("server", text);
    this.#list.append(bubble);
    this.#prompts = [...this.#prompts, {bubble, at_ms: at_ms ?? 0}].slice(-8);
  }

  #caller({text, final}) {
    if (!final && !text) {
      if (this.#open !== null) return;
      // Not for a screen reader: who speaks knows it, and would be spoken over.
      const dots = make("span", {class: "speaking"}, make("i"), make("i"), make("i"));
      this.#open = make("div", {class: "said caller", "aria-hidden": "true"}, dots);
      this.#list.append(this.#open);
      return;
    }
    const bubble = text ? this.#bubble("caller", text) : make("div", {class: "said caller none"}, t("not_understood"));
    if (this.#open === null) this.#list.append(bubble);
    else this.#open.replaceWith(bubble);
    this.#open = final ? null : bubble;
  }

  /** Keys that follow each other stand in one row. */
  #key(key) {
    let row = this.#list.lastElementChild;
    if (!row?.classList.contains("keyed")) {
      row = make("div", {class: "keyed"}, make("span", {class: "unseen"}, `${t("you")}: `));
      this.#list.append(row);
    }
    row.append(make("kbd", {}, key));
  }

  /** What was stopped began to be heard so long ago; a prompt that follows may be queued already. */
  #cut({at_ms = Infinity, after_ms = 0}) {
    const {bubble} = this.#prompts.findLast((prompt) => prompt.at_ms <= at_ms - after_ms + LATE_MS) ?? {};
    if (!bubble || bubble.classList.contains("cut")) return;
    bubble.classList.add("cut");
    bubble.append(make("span", {class: "unseen"}, ` (${t("interrupted")})`));
  }

  #bubble(who, text) {
    const name = make("span", {class: "unseen", lang: document.documentElement.lang}, `${t(who === "caller" ? "you" : "server")}: `);
    return make("div", {class: `said ${who}`, lang: this.#lang || undefined}, name, text);
  }

  #mark(text) {
    this.#list.append(make("div", {class: "mark"}, text));
  }

  #clear() {
    this.#list.replaceChildren();
    this.#open = null;
    this.#prompts = [];
    this.#following = true;
  }

  #keep() {
    if (!this.#call) return;
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({call: this.#call, events: this.#events}));
    } catch {
      // full or forbidden: a page that is loaded anew begins with an empty list
    }
  }
}
