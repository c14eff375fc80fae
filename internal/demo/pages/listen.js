// Shows what the framed display says, and moves on at its end.
(() => {
  "use strict";
  const frame = document.querySelector("handoff-frame");
  const log = document.querySelector("[data-log]");
  if (!frame || !log) return;

  for (const type of ["ready", "state", "end"]) {
    frame.addEventListener(`handoff-${type}`, ({ detail }) => {
      const line = document.createElement("li");
      line.textContent = [detail.type, detail.status, detail.seq].join(" · ");
      log.append(line);
      // Our own address, not the event's: what a browser says is a hint.
      if (type === "end") setTimeout(() => location.assign(frame.dataset.done), 1500);
    });
  }
})();
