// Keeps the playground up to date without loading it again: the frame in it would
// begin anew each time.
(() => {
  "use strict";
  const at = location.pathname;
  const seen = document.querySelector("[data-seen]");
  const said = document.querySelector("[data-said]");
  const log = document.querySelector("[data-log]");
  const frame = document.querySelector("handoff-frame");
  const form = document.querySelector("form[data-press]");

  // One look after the other, so that no older one comes last.
  let looking = Promise.resolve();
  const look = () => (looking = looking.then(fetchSeen, fetchSeen));
  const fetchSeen = async () => {
    const page = await fetch(`${at}/seen`);
    if (!page.ok) return;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").querySelector("[data-seen]");
    if (fresh.textContent !== seen.textContent) seen.replaceChildren(...fresh.childNodes);
  };

  const stream = new EventSource(`${at}/stream`);
  stream.onmessage = look;
  addEventListener("pagehide", () => stream.close());

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true"); // and keeps the focus
    said.textContent = `${button.textContent} …`;
    try {
      const body = new URLSearchParams({ act: button.value });
      const answer = await fetch(at, { method: "POST", body });
      const to = new URL(answer.url);
      if (to.pathname !== at) return location.assign(to.pathname);
      await look();
      const deed = seen.querySelector(".deed");
      said.textContent = deed ? `${button.textContent}: done. ${deed.querySelector(".wrong, li:last-child")?.textContent ?? ""}` : "";
    } catch {
      said.textContent = "No answer from the demonstration. Is it still running?";
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });

  for (const type of frame ? ["ready", "state", "end"] : []) {
    frame.addEventListener(`handoff-${type}`, ({ detail }) => {
      const line = document.createElement("li");
      line.textContent = [`handoff-${type}`, detail.status, `seq ${detail.seq}`, detail.returnUrl && "with returnUrl"].filter(Boolean).join(" · ");
      log.append(line);
    });
  }
})();
