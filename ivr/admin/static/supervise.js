// An operator's own leg to a live call: by the same client as any browser's, through the dashboard. Which call
// it is, how he is on it and how he leaves it is the page's; here is the sound.
import {IvrCall} from "/voice/static/client.js";

let call = null;
let speaks = false;
let tookOver = false;

window.ivrSupervise = async ({token, iceServers, mode}) => {
  await ivrLeave();
  be(mode);
  const mine = (call = new IvrCall({storage: null, microphone: speaks}));
  mine.addEventListener("state", ({detail}) => mine === call && show(detail.state));
  mine.addEventListener("blocked", () => mine === call && show("blocked"));
  mine.addEventListener("ended", () => over(mine));
  try {
    show("connecting");
    await mine.start({token, iceServers});
  } catch (error) {
    over(mine, error.message);
  }
};

// The same leg in another mode: who only listened has a microphone now, and who only listens has none.
window.ivrSpeakAs = async (mode) => {
  be(mode);
  if (!call) return;
  try {
    if (speaks) await call.openMicrophone();
    call.muted = !speaks;
    show(call.state);
  } catch (error) {
    show("fault", error.message);
  }
};

window.ivrLeave = async () => {
  const old = call;
  call = null;
  show("");
  await old?.hangUp();
};

function be(mode) {
  speaks = mode !== "listen";
  tookOver = mode === "take_over";
}

function over(mine, why = "") {
  if (mine !== call) return;
  call = null;
  show(why ? "fault" : "", why);
  emitEvent("supervision_over", why);
}

function show(state, why = "") {
  const place = document.getElementById("supervision");
  if (!place) return;
  place.replaceChildren();
  const words = {connecting: "connecting …", ringing: "connecting …", reconnecting: "connecting anew …", fault: why}[state];
  if (words) place.append(words);
  if (state === "blocked") place.append(button("Hear it", () => call?.play()));
  if (state === "talking" && speaks) {
    const mute = button(call.muted ? "Unmute" : "Mute", () => {
      call.muted = !call.muted;
      show("talking");
    });
    place.append(mute);
  }
}

function button(words, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button button-plain";
  made.textContent = words;
  made.addEventListener("click", pressed);
  return made;
}

addEventListener("beforeunload", (leaving) => {
  if (call && tookOver) leaving.preventDefault(); // a caller is talked to
});
// Who talks with a caller would end the call by hanging up: one that is lost goes back to its flow.
addEventListener("pagehide", () => tookOver || call?.hangUp());
