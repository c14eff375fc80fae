// Keeps an open display up to date: shows the panel of the state's screen, fills
// its slots, renews the code, counts down, and talks to the page that frames it.
// Everything it does is also there without it, by forms and reloading.
(() => {
  "use strict";

  const main = document.getElementById("handoff");
  const $ = (id) => document.getElementById(id);
  const all = (selector) => main.querySelectorAll(selector);
  const { base, id, parentOrigin } = main.dataset;
  const framed = parentOrigin !== "" && window.parent !== window;
  const forms = JSON.parse(main.dataset.count);
  const plural = new Intl.PluralRules(document.documentElement.lang);
  // The machine's clock may be wrong; the server's is what counts.
  const skew = Date.now() - Date.parse(main.dataset.now) || 0;

  let seq = Number(main.dataset.seq);
  let status = main.dataset.status;
  let expires = Date.parse(main.dataset.expires);
  let screen = "";
  let said = "";
  let frame = "";
  let ended = false;
  let leaving = false;

  // Speaking: one polite region, one sentence at a time. What a state says is said
  // once, whatever was spoken of in between.
  const speak = (text) => ($("live").textContent = text);
  const say = (text) => {
    if (text && text !== said) speak(text);
    said = text || said;
  };

  const post = (type, more) => {
    if (framed) window.parent.postMessage({ source: "handoff", v: 1, type, id, seq, status, ...more }, parentOrigin);
  };

  // panel returns the panel that stands for a screen.
  const panel = (name) => [...all("[data-screen]")].find((p) => p.dataset.screen.split(" ").includes(name));

  const show = (name) => {
    const next = panel(name);
    if (!next) return location.reload();
    const was = panel(screen);
    screen = name;
    if (next === was) return;
    const inside = was && was.contains(document.activeElement);
    const heading = next.querySelector("h1");
    if (was) {
      document.title = document.title.replace(was.querySelector("h1").textContent, heading.textContent);
      was.hidden = true;
    }
    next.hidden = false;
    // Focus moves only when it would be lost, or to the one field there is to fill.
    const field = name === "number" && (!framed || document.hasFocus()) && (inside || document.activeElement === document.body);
    if (field) $("number").focus();
    else if (inside) heading.focus();

    const step = Number(next.dataset.step);
    $("bar").hidden = step < 0;
    [...$("progress").children].forEach((li, i) => {
      li.className = i < step ? "done" : i === step ? "now" : "next";
      if (i === step) li.setAttribute("aria-current", "step");
      else li.removeAttribute("aria-current");
    });
  };

  const fill = (slots) => {
    for (const el of all("[data-slot]")) {
      const text = slots[el.dataset.slot] || "";
      if ("value" in el) el.value = text;
      else if (el.textContent !== text) {
        el.textContent = text;
        if (text && (slots.unsent || "").includes(text)) speak(text); // perhaps long after it was asked for
      }
    }
    for (const el of all("[data-when]")) el.hidden = !slots[el.dataset.when];
    for (const el of all("[data-unless]")) el.hidden = !!slots[el.dataset.unless];
    // A button that gives way to what it asked for hands on the focus.
    const gone = document.activeElement.closest("li [hidden]");
    const next = gone && gone.parentElement.querySelector("[data-when]:not([hidden]) :is(input, [tabindex]), [data-unless]:not([hidden]) button");
    if (next) next.focus();
    const wrong = !!slots.wrong;
    if (wrong) $("number").setAttribute("aria-invalid", "true");
    else $("number").removeAttribute("aria-invalid");
    if (/^https?:/.test(slots.deep_link)) $("deep-link").href = slots.deep_link;
  };

  // apply takes a state; an older one than shown changes nothing.
  const apply = (state) => {
    if (state.seq < seq || ended) return;
    const moved = state.seq !== seq || state.status !== status;
    seq = state.seq;
    status = state.status;
    if (state.expiresAt) expires = Date.parse(state.expiresAt);
    if (state.extend) main.dataset.extend = "";
    else delete main.dataset.extend;
    const slots = state.slots || {};
    fill(slots);
    show(state.screen);
    // The first screen has two headings, one for each kind of device: say the one that shows.
    say(state.screen === "waiting" ? panel("waiting").querySelector("h1").textContent : slots.say);
    renew(state.code + "." + state.frame);
    if (moved) post("state");
    if (state.end) end(state.returnUrl || "");
    count();
  };

  const end = (url) => {
    ended = true;
    stop();
    $("rest").hidden = true;
    $("more").hidden = true;
    const ok = /^https?:/.test(url);
    for (const a of ok ? all("[data-return]") : []) {
      a.href = url;
      if (framed) a.target = "_top";
    }
    for (const el of all("[data-goes]")) el.hidden = !ok;
    post("end", { returnUrl: ok ? url : "" });
    // A good end moves on by itself; the others stay until they have been read.
    if (ok && !framed && (leaving || screen === "completed")) setTimeout(() => location.assign(url), leaving ? 0 : 4000);
  };

  // The code. Its name and frame number say only that there is a newer one; while the tab
  // is hidden, or the code is, there is nobody to show it to.
  let wanted = "";
  let again;
  const renew = async (n) => {
    wanted = n;
    if (document.hidden || n === frame || panel(screen) !== panel("waiting")) return;
    frame = n;
    try {
      const r = await fetch(base + "/qr.svg", { cache: "no-store" });
      if (!r.ok) throw r.status;
      const svg = await r.text(); // empty, where the code is covered
      const box = /viewBox="([^"]+)"/.exec(svg);
      const d = /<path[^>]* d="([^"]+)"/.exec(svg);
      if (!box || !d || n !== frame) return;
      $("qr").setAttribute("viewBox", box[1]);
      $("qr").querySelector("path").setAttribute("d", d[1]);
    } catch {
      frame = "";
      clearTimeout(again);
      again = setTimeout(() => renew(wanted), 5000); // or the next one, if that is sooner
    }
  };

  // Following: a stream while there is one, else polling, ever less often.
  let source;
  let timer;
  let fails = 0;
  let refused = 0;
  let heard; // when there was the last sign of life
  let turned = 0; // when the code turned, and how long it takes from turn to turn
  let pace = 0;

  const stop = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = undefined;
  };

  const later = (seconds) => {
    stop();
    if (!ended) timer = setTimeout(poll, seconds * 1000 * (0.75 + Math.random() / 2));
  };

  const follow = () => {
    stop();
    if (ended) return;
    source = new EventSource(base + "/events");
    turned = 0;
    (source.onmessage = () => (heard = Date.now()))(); // and every 15 s: it is still there
    source.addEventListener("state", (e) => {
      turned = 0;
      online();
      refused = 0;
      apply(JSON.parse(e.data));
    });
    source.addEventListener("frame", (e) => {
      const now = Date.now();
      if (turned) pace = now - turned;
      turned = now;
      const { code, frame } = JSON.parse(e.data);
      renew(code + "." + frame);
    });
    source.addEventListener("bye", () => later(1));
    source.onerror = () => {
      refused++;
      later(1);
    };
  };

  const poll = async () => {
    clearTimeout(timer);
    if (ended) return;
    try {
      // An answer that hangs is none: the network may have gone without a word.
      const signal = AbortSignal.timeout ? AbortSignal.timeout(8000) : undefined;
      const r = await fetch(base + "/status", { cache: "no-store", signal, headers: { Accept: "application/json" } });
      if (r.status === 404 || r.status === 410) return location.reload();
      if (!r.ok) throw r.status;
      const state = await r.json();
      online();
      apply(state);
      if (ended || source) return;
      // Two refusals: no stream to be had just now. Try again every so often.
      if (refused < 2 || refused++ % 12 === 0) follow();
      else later(state.pollAfter || 5);
    } catch (e) {
      if (fails++ > 1 || !navigator.onLine) $("offline").hidden = false;
      // Whoever answers is asked less and less often. A network that is gone is looked
      // for again and again for five minutes, so that who waits sees it come back.
      const gone = typeof e !== "number" && !document.hidden && fails < 200;
      if (!source) later(gone ? 1.5 : Math.min(30, 2 ** Math.min(fails, 5)));
    }
  };

  const online = () => {
    fails = 0;
    $("offline").hidden = true;
  };

  window.addEventListener("offline", () => {
    $("offline").hidden = false;
    speak($("offline").querySelector("h2").textContent);
  });
  // After sleep, or a cut, a stream may be dead without a word: begin another. So may be
  // a connection that is kept for later: who asks first gets that one.
  const wake = () => {
    if (ended) return;
    refused = 0;
    poll();
    follow();
  };
  let awake = Date.now();
  const slept = () => Date.now() - awake > 5000;
  setInterval(() => {
    if (slept() && !document.hidden) wake();
    // A stream that says nothing any more is dead, though nobody said so. A code that no
    // longer turns is the sooner sign, and soon cannot be scanned.
    else if (source && !document.hidden) {
      const now = Date.now();
      if (now - heard > 20000 || (pace && turned && now - turned > 2 * pace + 2000)) wake();
    }
    awake = Date.now();
  }, 1000);
  window.addEventListener("online", wake);
  window.addEventListener("pageshow", (e) => e.persisted && wake());
  document.addEventListener("resume", wake);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    frame = "";
    renew(wanted);
    if (slept()) wake();
    else poll();
  });

  // Time left: text to be visited, never spoken of by itself.
  let ticking;
  const count = () => {
    clearTimeout(ticking);
    if (ended || !expires) return;
    const ms = Math.max(0, expires - (Date.now() - skew));
    const [set, unit] = ms <= 60000 ? [forms.s, 1000] : ms <= 7200000 ? [forms.m, 60000] : [forms.h, 3600000];
    const n = Math.ceil(ms / unit);
    const digits = String(n).replace(/\d/g, (c) => [...forms.digits][c]);
    const text = (set[plural.select(n)] || set.other).replace("{n}", digits);
    if ($("left").textContent !== text) $("left").textContent = text;

    const ask = "extend" in main.dataset && ms > 0 && ms <= 120000;
    if (ask && $("more").hidden) speak($("more").querySelector("h2").textContent);
    $("more").hidden = !ask;
    if (ms === 0) later(2);
    else ticking = setTimeout(count, Math.min(ms % unit || unit, ms > 60000 && ms - 60000 < unit ? ms - 60000 + 50 : unit));
  };

  // Forms are sent in the background, so that a frame never navigates itself.
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if ("native" in form.dataset || form.method !== "post") return;
    e.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "1";
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    leaving = form.action.endsWith("/no-phone");
    let ok = false;
    let told = "";
    const wrong = form.querySelector("[data-wrong]");
    try {
      const r = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
      ok = r.ok || r.type === "opaqueredirect" || r.status === 409;
      if (wrong && (r.status === 400 || r.status === 429)) told = (await r.json()).text;
    } catch {
      // no answer: told below
    }
    $("trouble").hidden = ok || told !== "";
    if (!ok) speak(told || $("trouble").textContent);
    if (wrong) {
      wrong.textContent = told;
      wrong.hidden = told === "";
      if (ok) form.reset();
    }
    if (form.contains($("number"))) $("number").value = "";
    delete form.dataset.busy;
    button.removeAttribute("aria-disabled");
    await poll();
    const made = ok && form.closest("li") && form.closest("li").querySelector(".out-now:not([hidden]) .made p");
    if (made) speak(made.textContent);
  });

  // Copying. A frame has no clipboard, so there the text is selected instead.
  for (const button of all("[data-copy]")) {
    const field = $(button.dataset.copy);
    const text = button.textContent;
    field.addEventListener("focus", () => field.select());
    button.hidden = framed || !navigator.clipboard;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(field.value);
        button.textContent = button.dataset.copied;
        speak(button.dataset.copied);
        setTimeout(() => (button.textContent = text), 2000);
      } catch {
        field.focus();
      }
    });
  }

  // A code that is cut off cannot be scanned, nor one with fewer than three of the screen's
  // pixels a module: say so, once. A framed page learns only after its first moments what
  // of it is in view, and a page that is being laid out is no news either: only what lasts
  // is said.
  const partly = $("partly");
  if ("IntersectionObserver" in window) {
    const qr = $("qr");
    let told = false;
    let seen = 1;
    let soon;
    const note = partly.firstElementChild;
    const tell = () => {
      note.hidden = false;
      partly.dataset.was = "";
      if (!told) speak(note.textContent);
      told = true;
    };
    const look = () => {
      const wide = qr.getBoundingClientRect().width;
      const small = wide * devicePixelRatio < 3 * qr.viewBox.baseVal.width;
      clearTimeout(soon);
      if (wide > 0 && (small || seen < 0.98)) soon = setTimeout(tell, 400);
      else note.hidden = true;
    };
    new IntersectionObserver(
      (entries) => {
        seen = entries.at(-1).intersectionRatio; // the others are older
        look();
      },
      { threshold: [0, 0.5, 0.9, 0.98, 1] },
    ).observe(qr);
    window.addEventListener("resize", look);
    // Zooming, which does not resize a frame.
    const zoomed = () => {
      look();
      matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", zoomed, { once: true });
    };
    zoomed();
  }

  screen = [...all("[data-screen]")].find((p) => !p.hidden).dataset.screen.split(" ")[0];
  said = main.dataset.say;
  ended = $("rest").hidden;
  post("ready");
  if (framed && "ResizeObserver" in window) {
    new ResizeObserver(() => post("resize", { height: Math.ceil(document.body.getBoundingClientRect().height) })).observe(document.body);
  }
  if (ended) {
    ended = false;
    const a = panel(screen).querySelector("[data-return]");
    end(a ? a.getAttribute("href") || "" : "");
  } else {
    count();
    follow();
  }
})();
