/** The microphone, or silence in its place; and how loud sound is. */

import {CallError, cancelled, unheard} from "./errors.js";
import {within} from "./waiting.js";

const ASKED_S = 60; // somebody reads the browser's question
const WANTED = {echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1};

export class Microphone {
  /** @type {MediaStreamTrack | null} */
  track = null;
  #over;
  #muted = false;
  #context = null;
  #meter = null;

  /** @param {AbortSignal} over */
  constructor(over) {
    this.#over = over;
  }

  get muted() {
    return this.#muted;
  }

  set muted(on) {
    this.#muted = Boolean(on);
    if (this.track) this.track.enabled = !this.#muted;
  }

  /** @param {boolean | MediaTrackConstraints} wanted false: silence */
  async open(wanted) {
    if (!globalThis.isSecureContext) {
      throw new CallError("insecure", "Browsers give the microphone to secure pages alone: use https, or localhost.");
    }
    if (!globalThis.RTCPeerConnection || !navigator.mediaDevices?.getUserMedia) {
      throw new CallError("unsupported", "This browser cannot make calls: it has no WebRTC.");
    }
    this.#context ??= new AudioContext();
    this.wake();
    const stream = wanted === false ? this.#silence() : await this.#ask(wanted === true ? {} : wanted);
    this.#drop();
    this.track = stream.getAudioTracks()[0];
    this.track.enabled = !this.#muted;
    this.#meter = this.meter(stream);
  }

  /** Browsers let a page make sound after a click. */
  wake() {
    this.#context?.resume().catch(() => undefined);
  }

  /** 0 to 1. */
  level() {
    return this.#muted ? 0 : (this.#meter?.level() ?? 0);
  }

  /** @param {MediaStream} stream */
  meter(stream) {
    return this.#context === null || this.#over.aborted ? null : new Meter(this.#context, stream);
  }

  close() {
    this.#drop();
    this.#context?.close().catch(() => undefined);
    this.#context = null;
  }

  #drop() {
    this.#meter?.close();
    this.track?.stop();
    this.#meter = this.track = null;
  }

  #silence() {
    return this.#context.createMediaStreamDestination().stream;
  }

  async #ask(constraints) {
    const asked = navigator.mediaDevices.getUserMedia({audio: {...WANTED, ...constraints}});
    const words = "Nobody answered whether the microphone may be used.";
    try {
      return await within(asked, ASKED_S, this.#over, (over) =>
        over ? cancelled() : new CallError("permission", words),
      );
    } catch (error) {
      asked.then((late) => late.getTracks().forEach((track) => track.stop())).catch(() => undefined);
      throw unheard(error);
    }
  }
}

/** The loudness of a stream. */
class Meter {
  #source;
  #analyser;
  #samples;

  /** @param {AudioContext} context @param {MediaStream} stream */
  constructor(context, stream) {
    this.#source = context.createMediaStreamSource(stream);
    this.#analyser = new AnalyserNode(context, {fftSize: 1024});
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source.connect(this.#analyser);
  }

  /** 0 at -60 dB of full scale and below, 1 at 0 dB. */
  level() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const power = sum / this.#samples.length;
    return power === 0 ? 0 : Math.min(1, Math.max(0, 1 + (10 * Math.log10(power)) / 60));
  }

  close() {
    this.#source.disconnect();
  }
}
