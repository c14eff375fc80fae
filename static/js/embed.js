// Puts a handoff's display into a partner's page:
//
//	<handoff-frame src="…displayUrl…"></handoff-frame>
//	Handoff.mount(element, {url, onEvent}) → {destroy()}
//
// The frame's messages become the events handoff-ready, handoff-state and
// handoff-end of the element, and its height follows the page in it. A message
// counts only from that very frame, from the display's own origin, in our shape.
(() => {
  "use strict";

  if (window.Handoff) return;

  const mount = (element, { url, title, onEvent }) => {
    const src = new URL(url, location.href);
    if (!/^https?:$/.test(src.protocol)) throw new TypeError("handoff: url must be http or https");
    const frame = document.createElement("iframe");
    frame.title = title || element.getAttribute("title") || "Handoff";
    // No permissions, and no border to fight with. The height is a start.
    Object.assign(frame.style, { display: "block", width: "100%", height: "640px", border: "0", colorScheme: "normal" });

    const hear = (e) => {
      const m = e.data;
      if (e.source !== frame.contentWindow || e.origin !== src.origin) return;
      if (!m || m.source !== "handoff" || m.v !== 1 || typeof m.type !== "string") return;
      if (m.type === "resize") {
        if (m.height > 0 && m.height < 10000) frame.style.height = `${Math.ceil(m.height)}px`;
        return;
      }
      if (!["ready", "state", "end"].includes(m.type)) return;
      element.dispatchEvent(new CustomEvent(`handoff-${m.type}`, { detail: m, bubbles: true, composed: true }));
      if (onEvent) onEvent(m);
    };

    window.addEventListener("message", hear);
    frame.src = src.href;
    element.append(frame);
    return {
      destroy() {
        window.removeEventListener("message", hear);
        frame.remove();
      },
    };
  };

  class HandoffFrame extends HTMLElement {
    static observedAttributes = ["src"];

    connectedCallback() {
      if (this.isConnected && !this.mounted && this.getAttribute("src")) {
        this.style.display ||= "block";
        this.mounted = mount(this, { url: this.getAttribute("src") });
      }
    }

    disconnectedCallback() {
      if (this.mounted) this.mounted.destroy();
      this.mounted = undefined;
    }

    attributeChangedCallback(name, was, is) {
      if (was === is || !this.isConnected) return;
      this.disconnectedCallback();
      this.connectedCallback();
    }
  }

  window.Handoff = Object.freeze({ mount });
  if (!customElements.get("handoff-frame")) customElements.define("handoff-frame", HandoffFrame);
})();
