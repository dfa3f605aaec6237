// A page whose socket was closed because its session is over goes to the log-in; others wait for the server.
(function watch() {
  const socket = window.socket;
  if (!socket) return void setTimeout(watch, 200);
  socket.on("disconnect", look);
  socket.io.on("reconnect_error", look);
  async function look() {
    try {
      const answer = await fetch("/session", { redirect: "manual" });
      if (answer.status === 401) location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
    } catch {
      // the dashboard itself is away: its page says so
    }
  }
})();
