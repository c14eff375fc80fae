// Types of the portal's /embed/v1.js. Keep this file among your sources, where your
// tsconfig.json includes it: it declares what that script brings into a page.

declare namespace Handoff {
  /** Where a handoff is on its way. */
  type Status = "created" | "displayed" | "opened" | "claimed" | "confirmed" | "connected" | "delivered" | EndStatus;

  /** How a handoff can end. */
  type EndStatus = "completed" | "expired" | "cancelled" | "rejected" | "replaced" | "failed";

  /** The display is there, or there again. */
  interface Ready {
    readonly type: "ready";
    /** The handoff's id, ho_…, as your backend knows it. */
    readonly id: string;
    /** Grows with every change. */
    readonly seq: number;
    readonly status: Status;
  }

  /** The handoff has moved on. */
  interface State {
    readonly type: "state";
    readonly id: string;
    readonly seq: number;
    readonly status: Status;
  }

  /** The handoff is over. The page stays where it is: what happens now is yours to say. */
  interface End {
    readonly type: "end";
    readonly id: string;
    readonly seq: number;
    readonly status: EndStatus;
    /** The handoff's returnUrl with its id and status added; empty if it has none. A hint: the API is the truth. */
    readonly returnUrl: string;
  }

  type Message = Ready | State | End;

  interface Options {
    /** The handoff's displayUrl. */
    url: string | URL;
    /** The frame's accessible name, in the language of your page. */
    title?: string;
    onEvent?: (message: Message) => void;
  }

  interface Mounted {
    /** Takes the display out of the page again. */
    destroy(): void;
  }

  /** Puts a display at the end of an element. Throws a TypeError if the URL is not an absolute http or https one. */
  function mount(element: Element, options: Options): Mounted;
}

/** <handoff-frame src="{displayUrl}" title="…">; what is within it is shown where the display cannot be. */
interface HandoffFrameElement extends HTMLElement {
  src: string;
}

interface HTMLElementTagNameMap {
  "handoff-frame": HandoffFrameElement;
}

// The events bubble, so that they can be heard at the element and at all around it.
interface GlobalEventHandlersEventMap {
  "handoff-ready": CustomEvent<Handoff.Ready>;
  "handoff-state": CustomEvent<Handoff.State>;
  "handoff-end": CustomEvent<Handoff.End>;
}
