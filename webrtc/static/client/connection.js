/** One WebRTC connection with its data channel; a call that is reconnected has several, one after another. */

import {CallError, cancelled} from "./errors.js";
import {deferred, pause, within} from "./waiting.js";

const GRACE_MS = 1000; // ICE's "disconnected" often passes by itself
const BATCH_MS = 40; // candidates come in flocks: one request for each flock
const BUFFER_MS = 20; // a conversation: a late frame is worse than a lost one
const NO_WAY = "The audio finds no way to the server: a firewall may stand between.";

/**
 * @typedef {object} Handlers
 * @property {(event: object) => void} told the server sent an object
 * @property {(stream: MediaStream) => void} heard there is sound to be played
 * @property {() => void} open keys can be sent
 * @property {() => void} lost it was up, and is not any more
 */

export class Connection {
  #peer;
  #channel;
  #sender;
  #microphone;
  #handlers;
  #meter = null;
  #trickle = null;
  #found = [];
  #batch = null;
  #grace = null;
  #up = deferred();
  #wasUp = false;
  #complete = false; // the server has told all its candidates
  #closed = false;

  /**
   * @param {RTCIceServer[]} iceServers
   * @param {import("./microphone.js").Microphone} microphone
   * @param {Handlers} handlers
   */
  constructor(iceServers, microphone, handlers) {
    this.#microphone = microphone;
    this.#handlers = handlers;
    const peer = (this.#peer = new RTCPeerConnection({iceServers, bundlePolicy: "max-bundle"}));
    const {sender, receiver} = peer.addTransceiver(microphone.track, {direction: "sendrecv"});
    this.#sender = sender;
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = BUFFER_MS;
    this.#channel = peer.createDataChannel("ivr");
    this.#channel.onopen = () => handlers.open();
    this.#channel.onmessage = ({data}) => this.#read(data);
    this.#channel.onclose = () => this.#lose();
    peer.ontrack = ({track}) => this.#hear(track);
    peer.onicecandidate = ({candidate}) => this.#gather(candidate);
    peer.onconnectionstatechange = () => this.#change();
  }

  /** @returns {Promise<{type: string, sdp: string}>} */
  async offer() {
    await this.#peer.setLocalDescription();
    const {type, sdp} = this.#peer.localDescription;
    return {type, sdp};
  }

  /**
   * @param {{sdp: string}} answer
   * @param {(candidates: (object | null)[]) => Promise<{candidates?: (RTCIceCandidateInit | null)[]} | null>} trickle
   *     takes ours, and gives those of the server's that are new
   */
  async accept(answer, trickle) {
    try {
      await this.#peer.setRemoteDescription({type: "answer", sdp: answer.sdp});
    } catch (error) {
      throw new CallError("no-media", "The browser cannot use the server's answer.", {cause: error});
    }
    this.#trickle = trickle;
    this.#schedule();
    void this.#askForMore();
  }

  /** @param {number} wait_s @param {AbortSignal} over */
  whenUp(wait_s, over) {
    return within(this.#up.promise, wait_s, over, (ended) =>
      ended ? cancelled() : new CallError("no-media", NO_WAY),
    );
  }

  /** @param {string} key @returns {boolean} whether it is on its way */
  press(key) {
    if (this.#channel.readyState === "open") {
      this.#channel.send(JSON.stringify({type: "key", key}));
      return true;
    }
    // One press goes one way: telephone-events (RFC 4733) only where there is no channel.
    const dtmf = this.#wasUp && !this.#closed ? this.#sender.dtmf : null;
    if (!dtmf?.canInsertDTMF) return false;
    dtmf.insertDTMF(dtmf.toneBuffer + key, 120, 60);
    return true;
  }

  /** @param {MediaStreamTrack} track instead of the one that was sent so far */
  send(track) {
    return this.#sender.replaceTrack(track);
  }

  /** How loud the server is, 0 to 1. */
  level() {
    return this.#meter?.level() ?? 0;
  }

  /** @returns {Promise<import("../client.js").Quality>} */
  async quality() {
    const quality = {rtt_ms: null, jitter_ms: null, buffer_ms: null, received: 0, lost: 0, sent: 0, codec: ""};
    const stats = await this.#peer.getStats();
    stats.forEach((one) => {
      if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined) {
        quality.rtt_ms = one.currentRoundTripTime * 1000;
      } else if (one.type === "inbound-rtp" && one.kind === "audio") {
        quality.received = one.packetsReceived ?? 0;
        quality.lost = one.packetsLost ?? 0;
        quality.codec = stats.get(one.codecId)?.mimeType ?? "";
        if (one.jitter !== undefined) quality.jitter_ms = one.jitter * 1000;
        if (one.jitterBufferEmittedCount > 0) {
          quality.buffer_ms = (one.jitterBufferDelay / one.jitterBufferEmittedCount) * 1000;
        }
      } else if (one.type === "outbound-rtp" && one.kind === "audio") {
        quality.sent = one.packetsSent ?? 0;
      }
    });
    return quality;
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#batch);
    clearTimeout(this.#grace);
    this.#up.reject(cancelled());
    this.#meter?.close();
    this.#peer.close();
  }

  #hear(track) {
    const stream = new MediaStream([track]);
    this.#meter = this.#microphone.meter(stream);
    this.#handlers.heard(stream);
  }

  #read(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // not of this protocol
    }
    if (event !== null && typeof event === "object") this.#handlers.told(event);
  }

  #gather(candidate) {
    if (candidate === null) {
      this.#found.push(null);
    } else if (candidate.candidate) {
      const {candidate: text, sdpMid, sdpMLineIndex} = candidate;
      this.#found.push({candidate: text, sdpMid, sdpMLineIndex});
    }
    this.#schedule();
  }

  #schedule() {
    if (this.#trickle === null || this.#batch !== null || this.#found.length === 0 || this.#closed) return;
    this.#batch = setTimeout(() => {
      this.#batch = null;
      // A flock that is lost is no harm where others arrive; where none does, the deadline says so.
      this.#exchange(this.#found.splice(0)).catch(() => undefined);
    }, BATCH_MS);
  }

  /** The server finds candidates meanwhile: it is asked until it has told all of them, or one was enough. */
  async #askForMore() {
    try {
      while (!this.#complete && !this.#wasUp && !this.#closed) await this.#exchange([]);
    } catch {
      // as above
    }
  }

  async #exchange(ours) {
    const theirs = (await this.#trickle(ours))?.candidates ?? [null];
    for (const candidate of theirs) {
      if (candidate === null) this.#complete = true;
      else if (!this.#closed) await this.#peer.addIceCandidate(candidate);
    }
    if (theirs.length === 0 && ours.length === 0) await pause(BATCH_MS / 1000);
  }

  #change() {
    clearTimeout(this.#grace);
    const state = this.#peer.connectionState;
    if (state === "connected") {
      this.#wasUp = true;
      this.#up.resolve();
    } else if (state === "disconnected") {
      this.#grace = setTimeout(() => this.#lose(), GRACE_MS);
    } else if (state === "failed" || state === "closed") {
      this.#lose();
    }
  }

  #lose() {
    if (this.#closed) return;
    this.#up.reject(new CallError("no-media", NO_WAY));
    if (this.#wasUp) this.#handlers.lost();
  }
}
