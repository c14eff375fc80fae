// Shows what the framed display says, and moves on at its end. A message counts
// only if it comes from the portal's origin and from this very frame.
(() => {
  "use strict";
  const frame = document.querySelector("iframe[data-portal]");
  const log = document.querySelector("[data-log]");
  if (!frame || !log) return;

  addEventListener("message", (event) => {
    if (event.origin !== frame.dataset.portal || event.source !== frame.contentWindow) return;
    const m = event.data;
    if (!m || m.source !== "handoff" || m.v !== 1 || m.id !== frame.dataset.handoff) return;

    if (m.type === "resize" && Number.isFinite(m.height)) {
      frame.height = String(Math.min(Math.max(m.height, 200), 4000));
      return;
    }
    const line = document.createElement("li");
    line.textContent = [m.type, m.status, m.seq].filter((part) => part !== undefined).join(" · ");
    log.append(line);
    if (m.type === "end") {
      // Our own address, not the message's: a message is a hint.
      setTimeout(() => location.assign(frame.dataset.done), 1500);
    }
  });
})();
