// Voices are played, and the microphone is recorded, in the page; what is recorded is a WAV file of 16 kHz.
const RATE = 16000;
let recording = null;

window.ivrTrying = {
  /** Plays a WAV file (base64) in an audio element; the one before it is let go. */
  play(id, base64, now) {
    const player = document.getElementById(id);
    if (!player) return;
    if (player.dataset.url) URL.revokeObjectURL(player.dataset.url);
    const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
    player.src = player.dataset.url = URL.createObjectURL(new Blob([bytes], {type: "audio/wav"}));
    player.hidden = false;
    if (now) player.play().catch(() => {});  // without a click before it, the browser waits for one
  },

  /** Begins to record; gives why it cannot, or "". After `most_s` it ends by itself. */
  async record(most_s, level) {
    await this.drop();
    if (!navigator.mediaDevices?.getUserMedia) return "This page may not use the microphone: it needs https.";
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({audio: {channelCount: 1}});
    } catch (error) {
      return error.name === "NotFoundError" ? "There is no microphone." : "The browser does not let the page hear the microphone.";
    }
    const context = new AudioContext();
    await context.audioWorklet.addModule("/static/recording-worklet.js");
    const source = context.createMediaStreamSource(stream);
    const node = new AudioWorkletNode(context, "recording");
    const mine = (recording = {stream, context, pieces: [], rate: context.sampleRate, samples: 0});
    node.port.onmessage = ({data}) => {
      if (mine.samples >= most_s * mine.rate) return;
      mine.pieces.push(data);
      mine.samples += data.length;
      const meter = document.getElementById(level);
      if (meter) meter.style.width = `${Math.min(100, 140 * Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length))}%`;
    };
    source.connect(node);
    return "";
  },

  /** Ends the recording; gives it as base64, "" where there is none. */
  async stop() {
    const mine = recording;
    if (!mine) return "";
    recording = null;
    mine.stream.getTracks().forEach((track) => track.stop());
    await mine.context.close();
    if (!mine.samples) return "";
    const whole = new OfflineAudioContext(1, Math.ceil((mine.samples * RATE) / mine.rate), RATE);
    const buffer = whole.createBuffer(1, mine.samples, mine.rate);
    let at = 0;
    for (const piece of mine.pieces) {
      buffer.copyToChannel(piece, 0, at);
      at += piece.length;
    }
    const node = whole.createBufferSource();
    node.buffer = buffer;
    node.connect(whole.destination);
    node.start();
    return base64Of(wav((await whole.startRendering()).getChannelData(0)));
  },

  async drop() {
    if (recording) await this.stop();
  },
};

function wav(samples) {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const text = (at, words) => [...words].forEach((sign, place) => view.setUint8(at + place, sign.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + samples.length * 2, true);
  text(8, "WAVEfmt ");
  [16, 1 | (1 << 16), RATE, RATE * 2, 2 | (16 << 16)].forEach((value, place) => view.setUint32(16 + 4 * place, value, true));
  text(36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((value, place) => view.setInt16(44 + place * 2, Math.max(-1, Math.min(1, value)) * 32767, true));
  return new Uint8Array(view.buffer);
}

function base64Of(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
