/**
 * A voice call from a web page to an IVR server: microphone and loudspeaker by WebRTC, keys and captions by
 * a data channel. An ES module without dependencies and without a build step:
 *
 *     import {IvrCall} from "https://ivr.example/static/client.js";
 *
 *     const call = new IvrCall();
 *     call.addEventListener("caption", ({detail}) => show(detail.who, detail.text));
 *     call.addEventListener("ended", ({detail}) => console.log(detail.cause, detail.result));
 *     await call.start({token});          // a one-time token that your server got for this call
 *     call.sendKey("1");
 *     await call.hangUp();
 *
 * An `IvrCall` is one call. Every wait in here has a deadline, and everything of a call (microphone,
 * connection, timers) is given back when it ends. docs/client.md tells the whole story.
 *
 * @module
 */

import {Connection} from "./client/connection.js";
import {CallError, HOPELESS, asCallError, cancelled} from "./client/errors.js";
import {forget, holdAlone, recall, remember, storageOfTab} from "./client/keeping.js";
import {Microphone} from "./client/microphone.js";
import {Signalling} from "./client/signalling.js";
import {pause} from "./client/waiting.js";

export {CallError};

/**
 * @typedef {"idle" | "connecting" | "ringing" | "talking" | "reconnecting" | "ended"} CallState
 * `connecting`: microphone and signalling; `ringing`: the server took the call and media is set up; `talking`:
 * both can be heard; `reconnecting`: the way to the server was lost, and the call waits for us.
 */

/**
 * @typedef {object} StartRequest
 * Either `token`, or `flow` for a server whose phone page is open to this browser.
 * @property {string} [token] a one-time token
 * @property {RTCIceServer[]} [iceServers] STUN and TURN servers that came with the token
 * @property {string} [flow]
 * @property {Object<string, unknown>} [params] values that the flow begins with
 * @property {string} [language] "hi", "mr", "en"
 */

/**
 * @typedef {object} CallOptions
 * @property {string | URL} [server] the base address of the server; the one this file came from without it
 * @property {boolean | MediaTrackConstraints} [microphone] constraints of one's own, or false: only listen
 *     (silence is sent; `openMicrophone` can follow)
 * @property {HTMLAudioElement} [audio] what plays the server's voice; one of our own without it
 * @property {Storage | null} [storage] where the call is kept for a page that is loaded again; the tab's
 *     `sessionStorage` without it, null: nowhere
 * @property {number} [connect_s] how long setting up the media may take, 15
 */

/**
 * @typedef {object} Quality what the browser measured
 * @property {number | null} rtt_ms there and back, by ICE's checks
 * @property {number | null} jitter_ms of what is received
 * @property {number | null} buffer_ms how long received audio waits on average before it is played
 * @property {number} received packets
 * @property {number} lost packets of the server's that never came
 * @property {number} sent packets
 * @property {string} codec as "audio/opus"
 */

const KEY = /^[0-9A-D*#]$/;
const REJOIN_S = 4; // for one try of several
const FIRST_PAUSE_S = 0.25;
const LONGEST_PAUSE_S = 2;
const FAREWELL_S = 1.5; // after a hang-up the result may still come
const OURS = new Set(["state", "blocked"]);

/**
 * One voice call.
 *
 * It dispatches `CustomEvent`s: `state` with `{state, was}`; `blocked` when the browser wants a click before it
 * plays sound (call `play()` in its handler); and each event of the server by its `type`, with the whole object
 * as detail: `ready`, `caption`, `cut`, `step`, `key`, `turn`, `language`, `queued`, `connected`, `held`,
 * `error`, `ended`, and whatever may be added to them (docs/call-events.md). `ended` comes once, with
 * `{cause, result}`, of every call that was heard; `cause` is `lost` when the server could not be reached
 * again, `gone` when it had ended the call meanwhile.
 */
export class IvrCall extends EventTarget {
  /** @type {CallState} */
  #state = "idle";
  /** @type {import("./client/keeping.js").Session | null} */
  #session = null;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {string[]} */
  #keys = []; // pressed while there was no way to send them
  #ended = false;
  #over = new AbortController();
  #microphone = new Microphone(this.#over.signal);
  #signalling;
  #audio;
  #options;

  /** @param {CallOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = {connect_s: 15, storage: storageOfTab(), microphone: true, ...options};
    const server = new URL(options.server ?? new URL("..", import.meta.url), globalThis.location?.href);
    if (!server.pathname.endsWith("/")) server.pathname += "/";
    this.#signalling = new Signalling(server, this.#over.signal);
    this.#audio = options.audio ?? new Audio();
    this.#audio.autoplay = true;
  }

  /**
   * The call that this tab had when its page was loaded anew: what `resume` can go on with, if the server
   * still holds it.
   * @param {Storage | null} [storage]
   * @returns {{call_id: string, began: number} | null}
   */
  static kept(storage = storageOfTab()) {
    const session = recall(storage);
    return session && {call_id: session.call_id, began: session.began};
  }

  /** @returns {CallState} */
  get state() {
    return this.#state;
  }

  /** The call's id in the server's records; empty before the server took it. */
  get id() {
    return this.#session?.call_id ?? "";
  }

  /** When the server took the call, as `Date.now()`; null before that. */
  get began() {
    return this.#session?.began ?? null;
  }

  /** Whether our microphone is silenced. */
  get muted() {
    return this.#microphone.muted;
  }

  set muted(on) {
    this.#microphone.muted = on;
  }

  /**
   * Makes the call, and returns when both sides can be heard. Call it in a click's handler: then the browser
   * plays sound. Rejects with a `CallError`; then nothing is left of the call.
   * @param {StartRequest} request
   */
  async start(request) {
    this.#begin("connecting");
    await this.#orGiveUp(async () => {
      await this.#microphone.open(this.#options.microphone);
      const ticket = request.token
        ? {token: request.token, ice_servers: request.iceServers}
        : await this.#signalling.ticket(request);
      const iceServers = ticket.ice_servers ?? [];
      const connection = this.#connect(iceServers);
      const taken = await this.#signalling.start(ticket.token, await connection.offer());
      const {session_id, secret, call_id, reconnect_s = 10} = taken;
      this.#session = {session_id, secret, call_id, reconnect_s, iceServers, began: Date.now()};
      await holdAlone(this.#session, this.#over.signal);
      this.#enter("ringing");
      await this.#join(connection, taken, this.#options.connect_s);
    });
  }

  /**
   * Takes up the call that this tab had before its page was loaded anew. Rejects with a `CallError`: `gone`
   * when the server has given the call up, `elsewhere` when another window has it.
   */
  async resume() {
    this.#begin("reconnecting");
    await this.#orGiveUp(async () => {
      const kept = recall(this.#options.storage);
      if (kept === null) throw new CallError("gone", "There is no call to go on with.");
      await holdAlone(kept, this.#over.signal);
      this.#session = kept;
      await this.#microphone.open(this.#options.microphone);
      await this.#rejoin();
    });
  }

  /**
   * Presses a key. While there is no connection, keys wait, and are sent in order when there is one.
   * @param {string} key one of 0-9 * # A-D
   */
  sendKey(key) {
    if (!KEY.test(key)) throw new TypeError(`${JSON.stringify(key)} is no key of a telephone`);
    if (this.#state === "idle" || this.#state === "ended") return;
    if (!this.#connection?.press(key)) this.#keys.push(key);
  }

  /**
   * Opens the microphone of a call that only listened so far. Rejects with a `CallError`.
   * @param {boolean | MediaTrackConstraints} [constraints]
   */
  async openMicrophone(constraints = true) {
    await this.#microphone.open(constraints);
    await this.#connection?.send(this.#microphone.track);
  }

  /** Plays what the browser has held back; for a click after `blocked`. */
  async play() {
    this.#microphone.wake();
    await this.#audio.play();
  }

  /** How loud both sides are now, 0 to 1 over 60 dB; ask as often as you draw. */
  level() {
    return {microphone: this.#microphone.level(), speaker: this.#connection?.level() ?? 0};
  }

  /** @returns {Promise<Quality | null>} null without a connection */
  async quality() {
    return (await this.#connection?.quality()) ?? null;
  }

  /** Ends the call, in whatever state it is, and returns when it is over. Never rejects. */
  async hangUp() {
    if (this.#state === "idle" || this.#state === "ended") return;
    if (this.#session === null || this.#state === "ringing") {
      this.#over.abort(); // `start` rejects with `cancelled`, and tells the server
      return;
    }
    const told = this.#state === "talking" ? pause(FAREWELL_S, this, "ended") : null;
    await this.#signalling.end(this.#session).catch(() => undefined);
    await told;
    this.#finish({type: "ended", cause: "hangup", result: null});
  }

  // --- inside

  /** @param {CallState} state */
  #begin(state) {
    if (this.#state !== "idle") throw new Error("an IvrCall is one call: make another for the next");
    this.#enter(state);
  }

  /** @param {CallState} state */
  #enter(state) {
    const was = this.#state;
    if (was === state || was === "ended") return;
    this.#state = state;
    this.#tell("state", {state, was});
  }

  /** @param {string} type @param {object} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }

  /** Runs what brings the call to talking; when it fails, nothing of the call is left. */
  async #orGiveUp(work) {
    try {
      await work();
    } catch (error) {
      if (this.#ended) return; // it was heard, and is over: `ended` told so
      const aborted = this.#over.signal.aborted;
      this.#release();
      this.#enter("ended");
      if (this.#session !== null) await this.#signalling.end(this.#session).catch(() => undefined);
      throw aborted ? cancelled(error) : asCallError(error);
    }
  }

  /** @param {RTCIceServer[]} iceServers @returns {Connection} in the place of the one before */
  #connect(iceServers) {
    this.#over.signal.throwIfAborted();
    this.#connection?.close();
    const connection = new Connection(iceServers, this.#microphone, {
      told: (event) => this.#take(event),
      heard: (stream) => this.#play(stream),
      open: () => this.#keys.splice(0).forEach((key) => this.sendKey(key)),
      lost: () => this.#lose(connection),
    });
    this.#connection = connection;
    return connection;
  }

  /** The server's answer is here; what remains is the way for the audio. */
  async #join(connection, answer, wait_s) {
    const session = this.#session;
    await connection.accept(answer, (candidates) => this.#signalling.trickle(session, candidates));
    await connection.whenUp(wait_s, this.#over.signal);
    remember(this.#options.storage, session);
    this.#enter("talking");
  }

  /** A new connection for the same call, tried until the server must have given it up. */
  async #rejoin() {
    const session = this.#session;
    const deadline = performance.now() + session.reconnect_s * 1000;
    for (let wait_s = FIRST_PAUSE_S; ; wait_s = Math.min(2 * wait_s, LONGEST_PAUSE_S)) {
      try {
        const connection = this.#connect(session.iceServers);
        const answer = await this.#signalling.renew(session, await connection.offer());
        return await this.#join(connection, answer, Math.min(REJOIN_S, this.#options.connect_s));
      } catch (error) {
        const left_s = (deadline - performance.now()) / 1000;
        if (left_s <= 0 || this.#over.signal.aborted || HOPELESS.has(error.code)) throw error;
        await pause(Math.min(wait_s, left_s), globalThis, "online");
      }
    }
  }

  async #lose(connection) {
    if (connection !== this.#connection || this.#state !== "talking") return;
    this.#enter("reconnecting");
    try {
      await this.#rejoin();
    } catch (error) {
      const cause = HOPELESS.has(error.code) ? "gone" : "lost";
      this.#finish({type: "ended", cause, result: null});
    }
  }

  /** @param {{type?: unknown}} event as the server sent it */
  #take(event) {
    if (typeof event.type !== "string" || OURS.has(event.type)) return;
    if (event.type === "ended") this.#finish(event);
    else this.#tell(event.type, event);
  }

  #play(stream) {
    this.#audio.srcObject = stream;
    this.#audio.play().catch((error) => {
      if (error.name === "NotAllowedError") this.#tell("blocked", {});
    });
  }

  /** @param {{type: string, cause: string, result: unknown}} event */
  #finish(event) {
    if (this.#ended || this.#state === "ended") return;
    this.#ended = true;
    this.#release();
    this.#enter("ended");
    this.#tell("ended", event);
  }

  #release() {
    this.#over.abort();
    this.#connection?.close();
    this.#microphone.close();
    this.#audio.srcObject = null;
    this.#keys.length = 0;
    if (this.#session !== null) forget(this.#options.storage, this.#session);
  }
}
