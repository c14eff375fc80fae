// Puts a handoff's display into a page of yours:
//
//	<handoff-frame src="{displayUrl}" title="Continue on your phone"></handoff-frame>
//	Handoff.mount(element, { url, title, onEvent }) → { destroy() }
//
// What the display says becomes the element's events handoff-ready, handoff-state and
// handoff-end, and its height follows the page in it. It takes your page nowhere: what
// happens at the end is yours to say. Where the display cannot be framed, what is
// within the element is shown instead, or else a link. Types: v1.d.ts beside this.
(() => {
  "use strict";

  const tag = "handoff-frame";
  if (customElements.get(tag)) return; // this script is here twice

  // How long a display may take to speak, in milliseconds: from the start, and once
  // its frame has loaded, as what a browser shows in its place does too.
  const patience = 10000;
  const grace = 3000;

  const address = (url) => {
    const u = new URL(url); // absolute: the display is never the page's own
    if (!/^https?:$/.test(u.protocol)) throw new TypeError("handoff: url must be http or https");
    return u;
  };

  // heard is what is passed on of a message, nothing if it is none of ours.
  const heard = ({ type, id, seq, status, returnUrl = "" }) => {
    if (typeof id !== "string" || !Number.isInteger(seq) || typeof status !== "string") return;
    if (type === "ready" || type === "state") return { type, id, seq, status };
    if (type === "end" && typeof returnUrl === "string" && /^(https?:\/\/.*)?$/.test(returnUrl)) return { type, id, seq, status, returnUrl };
  };

  class HandoffFrame extends HTMLElement {
    static observedAttributes = ["src", "title"];

    #root = this.attachShadow({ mode: "open" }); // what is within the element stays hidden
    #leave; // ends what is shown now, while the element is in a page

    get src() {
      return this.getAttribute("src") || "";
    }

    set src(url) {
      this.setAttribute("src", url);
    }

    connectedCallback() {
      if (Object.hasOwn(this, "src")) {
        const early = this.src; // given before this script was here
        delete this.src;
        this.src = early;
      }
      if ("adoptedStyleSheets" in this.#root) {
        const sheet = new CSSStyleSheet(); // unlike a style element, not a matter of the page's policy
        sheet.replaceSync(":host { display: block } :host([hidden]) { display: none }");
        this.#root.adoptedStyleSheets = [sheet];
      }
      this.#show();
    }

    disconnectedCallback() {
      this.#leave();
      this.#leave = undefined;
    }

    attributeChangedCallback(name, was, is) {
      if (was === is || !this.#leave) return;
      if (name === "src") return this.#show();
      const frame = this.#root.querySelector("iframe");
      if (frame) frame.title = this.#name;
    }

    get #name() {
      return this.getAttribute("title") || "Continue on your phone";
    }

    #show() {
      if (this.#leave) this.#leave();
      let url;
      try {
        url = address(this.src);
      } catch (e) {
        this.#leave = () => {};
        this.#root.replaceChildren(document.createElement("slot"));
        if (this.src) console.warn(`${tag}: ${e.message}`);
        return;
      }
      const frame = document.createElement("iframe");
      frame.title = this.#name;
      // Set one by one, which no policy of the page forbids. The height is a start.
      Object.assign(frame.style, { display: "block", width: "100%", height: "640px", border: "0" });
      // A page that does not say whether it can be dark is light, and so is its frame.
      if (getComputedStyle(this).colorScheme === "normal") frame.style.colorScheme = "light";

      let timer;
      let loads = 0;
      let readies = 0;
      const wait = (ms) => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          if (readies && readies >= loads) return;
          frame.style.display = "none";
          if (!frame.nextSibling) frame.after(this.#instead(url.href));
          console.warn(`${tag}: no word from ${url.origin}. Is this page at the handoff's parentOrigin, and does its frame-src allow the portal?`);
        }, ms);
      };
      const hear = ({ data: m, source, origin }) => {
        if (source !== frame.contentWindow || origin !== url.origin) return;
        if (!m || m.source !== "handoff" || m.v !== 1) return;
        if (m.type === "resize" && typeof m.height === "number" && m.height > 0 && m.height < 10000) {
          frame.style.height = `${Math.ceil(m.height)}px`;
        }
        const detail = heard(m);
        if (!detail) return;
        if (m.type === "ready") {
          readies++;
          frame.style.display = "block";
          if (frame.nextSibling) frame.nextSibling.remove();
        }
        this.dispatchEvent(new CustomEvent(`handoff-${m.type}`, { detail, bubbles: true, composed: true }));
      };
      this.#leave = () => {
        clearTimeout(timer);
        window.removeEventListener("message", hear);
        frame.remove();
      };
      window.addEventListener("message", hear);
      frame.addEventListener("load", () => {
        loads++;
        wait(grace);
      });
      wait(patience);
      frame.src = url.href;
      this.#root.replaceChildren(frame);
    }

    // #instead is what is shown where the display is not.
    #instead(url) {
      if (this.children.length || this.textContent.trim()) return document.createElement("slot");
      const a = document.createElement("a");
      a.href = url;
      a.target = "_top";
      a.textContent = this.#name;
      return a;
    }
  }

  customElements.define(tag, HandoffFrame);

  const mount = (element, { url, title, onEvent }) => {
    const frame = document.createElement(tag);
    frame.src = address(url).href;
    if (title) frame.title = title;
    if (onEvent) for (const type of ["ready", "state", "end"]) frame.addEventListener(`handoff-${type}`, (e) => onEvent(e.detail));
    element.append(frame);
    return { destroy: () => frame.remove() };
  };
  window.Handoff = Object.freeze({ mount });
})();
