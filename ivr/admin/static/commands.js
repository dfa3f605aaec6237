// Commands by voice: a call to the owner's flow, by the same client as any browser's, through the dashboard.
import {IvrCall} from "/voice/static/client.js";

let call = null;

window.ivrCommands = {
  async begin({token, iceServers}) {
    const mine = (call = new IvrCall({storage: null}));
    say("connecting …");
    mark(true);
    mine.addEventListener("state", ({detail}) => {
      if (mine === call && detail.state === "talking") say("listening …");
      if (mine === call && detail.state === "reconnecting") say("the connection is being made anew …");
    });
    mine.addEventListener("step", ({detail}) => {
      if (mine === call && !detail.flow) emitEvent("ivr-command", {step: detail.step});
    });
    mine.addEventListener("caption", ({detail}) => {
      if (mine !== call || !detail.final) return;
      say(detail.who === "caller" ? `“${detail.text || "…"}”` : detail.text);
    });
    mine.addEventListener("blocked", () => mine.play().catch(() => say("the browser keeps the sound back")));
    mine.addEventListener("ended", ({detail}) => {
      if (mine === call) over(detail.cause === "lost" ? "the connection was lost" : "");
    });
    try {
      await mine.start({token, iceServers});
    } catch (error) {
      if (mine === call) over(error.message);
    }
  },

  /** Ends the call that is under way; false where there is none. */
  end() {
    const old = call;
    if (!old) return false;
    over("");
    old.hangUp();
    return true;
  },

  /** Another page stands in this document now. */
  turned(path) {
    for (const link of document.querySelectorAll(".side-link")) {
      const here = link.getAttribute("href") === path || (path.startsWith("/flows/") && link.getAttribute("href") === "/flows");
      link.classList.toggle("side-here", here);
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (path === "/live") import("/static/supervise.js");
    scrollTo(0, 0);
  },
};

function over(words) {
  call = null;
  say(words);
  mark(false);
}

function say(words) {
  const place = document.querySelector(".command-words");
  if (place) place.textContent = words;
}

function mark(on) {
  const button = document.querySelector(".command-button");
  button?.classList.toggle("command-on", on);
  button?.setAttribute("aria-pressed", String(on));
}
