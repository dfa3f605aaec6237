// Passes on what the microphone gives, in pieces of about a tenth of a second.
class Recording extends AudioWorkletProcessor {
  #piece = new Float32Array(4096);
  #filled = 0;

  process([[samples]]) {
    if (!samples) return true;
    for (const value of samples) {
      this.#piece[this.#filled++] = value;
      if (this.#filled === this.#piece.length) {
        this.port.postMessage(this.#piece.slice());
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("recording", Recording);
