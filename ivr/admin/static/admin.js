// What pages of the dashboard do in the browser by themselves: times by the reader's clock, a recording that
// follows its transcript, how long calls last, and the way to the log-in when the session is over.

class LocalTime extends HTMLElement {
  static forms = {
    full: {year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit"},
    date: {year: "numeric", month: "short", day: "numeric"},
    clock: {hour: "2-digit", minute: "2-digit", second: "2-digit"},
  };

  connectedCallback() {
    const at = new Date(this.getAttribute("datetime"));
    const form = LocalTime.forms[this.dataset.style] ?? LocalTime.forms.full;
    this.title = at.toISOString();
    this.textContent = new Intl.DateTimeFormat(document.documentElement.lang || "en", {...form, hour12: false}).format(at);
  }
}
customElements.define("local-time", LocalTime);

// A moment that is written by the reader's clock and sent as UTC.
class UtcTime extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    const field = document.createElement("input");
    const sent = document.createElement("input");
    field.type = "datetime-local";
    sent.type = "hidden";
    sent.name = this.getAttribute("name");
    sent.value = this.getAttribute("value") ?? "";
    const at = new Date(sent.value);
    if (sent.value && !isNaN(at)) field.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
    sent.disabled = !sent.value;
    field.addEventListener("input", () => {
      sent.value = field.value ? new Date(field.value).toISOString() : "";
      sent.disabled = !field.value;
    });
    this.append(field, sent);
  }
}
customElements.define("utc-time", UtcTime);

// Empty fields of a search do not stand in its address.
document.addEventListener("submit", ({target}) => {
  if (target.method !== "get") return;
  for (const field of target.querySelectorAll("input[name], select[name]")) {
    if (!field.value) field.disabled = true;
  }
});

// A recording and its transcript.
document.addEventListener("click", ({target}) => {
  const line = target.closest?.("[data-seek]");
  const sound = document.getElementById("recording");
  if (!line || !sound) return;
  sound.currentTime = Number(line.dataset.seek);
  sound.play().catch(() => {});
});
document.addEventListener(
  "timeupdate",
  ({target}) => {
    if (target.id !== "recording") return;
    let now = null;
    for (const line of document.querySelectorAll("[data-seek]")) {
      if (Number(line.dataset.seek) <= target.currentTime + 0.05) now = line;
      line.classList.remove("talk-now");
      line.removeAttribute("aria-current");
    }
    now?.classList.add("talk-now");
    now?.setAttribute("aria-current", "true");
  },
  true,
);

// Live calls.
window.ivrSince = (at) => {
  const s = Math.max(0, Math.floor(Date.now() / 1000 - at));
  const two = (n) => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};
window.ivrMos = (mos) => ["ag-right-aligned-cell", mos == null ? "" : mos >= 3.8 ? "cell-good" : mos >= 3.1 ? "cell-warn" : "cell-bad"];
window.ivrWords = ({of}) => (of === "caller" ? "words-caller" : "words-server");
window.ivrTick = (id) => {
  clearInterval(window.ivrTicking);
  window.ivrTicking = setInterval(() => getElement(id)?.api?.refreshCells({columns: ["since"], force: true}), 1000);
};
window.ivrScrollDown = (id) => setTimeout(() => {
  const place = document.getElementById(`c${id}`);
  if (place) place.scrollTop = place.scrollHeight;
});

// A page whose socket was closed because its session is over goes to the log-in; others wait for the server.
(function watch() {
  const socket = window.socket;
  if (!socket) return void setTimeout(watch, 200);
  socket.on("disconnect", look);
  socket.io.on("reconnect_error", look);
  async function look() {
    try {
      const answer = await fetch("/session", {redirect: "manual"});
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    } catch {
      // the dashboard itself is away: its page says so
    }
  }
})();
