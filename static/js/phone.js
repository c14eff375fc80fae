// Helps a phone's page along: reloads it when the handoff moved on, opens the help
// when the app did not open, copies a link, and tells of the way to the store.
(() => {
  "use strict";

  const main = document.getElementById("handoff");
  const { base, screen, refresh } = main.dataset;
  const seq = Number(main.dataset.seq);
  const jitter = () => 0.75 + Math.random() / 2;
  let source;
  let timer;
  let fails = 0;
  let refused = 0;
  let heard;
  let leaving = false;

  // Without a network a reload would put the browser's own page in our place.
  const reload = () => {
    if (navigator.onLine) location.reload();
    else window.addEventListener("online", () => location.reload(), { once: true });
  };

  const moved = (state) => {
    fails = 0;
    if (leaving) return;
    if (state.screen === undefined ? state.seq === seq : state.screen === screen) return;
    if (document.hidden && /faded$/.test(state.screen)) return; // a fresh link is made for who looks: see visibilitychange
    clearTimeout(timer);
    if (source) source.close();
    reload();
  };

  const poll = async () => {
    clearTimeout(timer);
    let wait = 5;
    try {
      // An answer that hangs is none.
      const signal = AbortSignal.timeout ? AbortSignal.timeout(8000) : undefined;
      const r = await fetch(base + "/status", { cache: "no-store", signal, headers: { Accept: "application/json" } });
      if (r.status === 404 || r.status === 410) return reload();
      if (!r.ok) throw r.status;
      const state = await r.json();
      wait = state.pollAfter || wait;
      moved(state);
      if (state.end) return;
      // Two refusals: no stream to be had just now. Try again every so often.
      if (!source && (refused < 2 || refused++ % 12 === 0)) follow();
    } catch (e) {
      fails++;
      // As on the computer.
      const gone = typeof e !== "number" && !document.hidden && fails < 200;
      wait = gone ? 1.5 : Math.min(30, 2 ** Math.min(fails, 5));
    }
    if (!source) timer = setTimeout(poll, wait * 1000 * jitter());
  };

  const follow = () => {
    if (source) source.close();
    source = new EventSource(base + "/events");
    (source.onmessage = () => (heard = Date.now()))();
    source.addEventListener("state", (e) => {
      refused = 0;
      moved(JSON.parse(e.data));
    });
    const quit = () => {
      source.close();
      source = undefined;
      timer = setTimeout(poll, 1000 * jitter());
    };
    source.addEventListener("bye", quit);
    source.onerror = () => {
      refused++;
      quit();
    };
  };

  // After sleep a stream may be dead without a word: as on the computer.
  const wake = () => {
    refused = 0;
    poll();
    follow();
  };

  if (base) {
    follow();
    // Back from the store, the app or the home screen: look again.
    let awake = Date.now();
    const slept = () => Date.now() - awake > 5000;
    setInterval(() => {
      if (!document.hidden && (slept() || (source && Date.now() - heard > 2e4))) wake();
      awake = Date.now();
    }, 1000);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      leaving = false;
      if (slept()) wake();
      else poll();
    });
    document.addEventListener("resume", wake);
    window.addEventListener("online", wake);
    window.addEventListener("pageshow", (e) => e.persisted && location.reload());
    // A reload in the middle of leaving would call the way back: the app's page
    // redeems its pickup, and that moves this page on, before it has answered.
    for (const link of document.querySelectorAll("a.button")) {
      link.addEventListener("click", () => {
        leaving = true;
        setTimeout(() => {
          leaving = false;
          poll(); // and hear what went by meanwhile
        }, 20000);
      });
    }
  }
  if (!base && Number(refresh) > 0) setTimeout(reload, Number(refresh) * 1000 * jitter());

  // The place is kept for a phone that goes to the store, and the computer says so.
  // So it is with the tap on the app's link: only that tells an app that did not open.
  const tell = (link, path) => {
    if (base && link) link.addEventListener("click", () => fetch(base + path, { method: "POST", keepalive: true }).catch(() => {}));
  };
  const open = document.getElementById("open");
  tell(document.querySelector('[data-testid="store"]'), "/store");
  tell(open, "/tapped");

  // Still here three seconds after the tap: the app did not open.
  const help = document.getElementById("help");
  if (open && help) {
    open.addEventListener("click", () => {
      setTimeout(() => {
        if (document.hidden || help.open) return;
        help.open = true;
        help.scrollIntoView({ block: "nearest" });
        document.getElementById("live").textContent = help.querySelector("summary").textContent.trim();
      }, 3000);
    });
  }

  // Of what says that it is a Mac, only an iPad is touched.
  const tablet = document.querySelector("[data-tablet]");
  if (tablet) tablet.hidden = navigator.maxTouchPoints < 2;

  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = document.getElementById(button.dataset.copy);
    field.addEventListener("focus", () => field.select());
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(field.value);
        document.getElementById("live").textContent = button.dataset.copied;
        button.textContent = button.dataset.copied;
      } catch {
        field.focus();
      }
    });
  }
})();
