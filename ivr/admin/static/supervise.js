// An operator's own leg to a live call: by the same client as any browser's, through the dashboard.
import {IvrCall} from "/voice/static/client.js";

const WORDS = {listen: "Listening", whisper: "Whispering", take_over: "You talk to the caller"};
let call = null;

window.ivrSupervise = async ({token, iceServers, mode}) => {
  await leave();
  const mine = (call = new IvrCall({storage: null, microphone: mode !== "listen"}));
  show(`${WORDS[mode]}: connecting …`);
  mine.addEventListener("state", ({detail}) => {
    if (mine !== call) return;
    if (detail.state === "talking") show(WORDS[mode], mode);
    if (detail.state === "reconnecting") show("The connection is being made anew …", mode);
  });
  mine.addEventListener("blocked", () => show("Press “Hear it” for the sound.", mode, true));
  mine.addEventListener("ended", ({detail}) => {
    if (mine !== call) return;
    call = null;
    show(detail.cause === "lost" ? "The connection was lost." : "");
  });
  try {
    await mine.start({token, iceServers});
  } catch (error) {
    if (mine === call) {
      call = null;
      show(error.message);
    }
  }
};

async function leave() {
  const old = call;
  call = null;
  show("");
  await old?.hangUp();
}

function show(words, mode = "", blocked = false) {
  const place = document.getElementById("supervision");
  if (!place) return;
  place.replaceChildren();
  if (!words) return;
  const told = document.createElement("span");
  told.setAttribute("role", "status");
  told.className = "live-leg";
  told.textContent = words;
  place.append(told);
  if (blocked) place.append(button("Hear it", () => call?.play()));
  if (mode && mode !== "listen") {
    const mute = button("Mute", () => {
      call.muted = !call.muted;
      mute.textContent = call.muted ? "Unmute" : "Mute";
    });
    place.append(mute);
  }
  if (mode) place.append(button("Leave", leave));
}

function button(words, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button button-plain";
  made.textContent = words;
  made.addEventListener("click", pressed);
  return made;
}

addEventListener("pagehide", () => call?.hangUp());
