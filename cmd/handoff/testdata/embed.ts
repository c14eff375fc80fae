// What a partner's page may write, and what the compiler must refuse.

const frame = document.querySelector("handoff-frame");
if (frame) {
  frame.src = "https://go.example.com/h/key";
  frame.title = "Weiter auf dem Handy";
  frame.addEventListener("handoff-end", (e) => {
    const status: "completed" | "expired" | "cancelled" | "rejected" | "replaced" | "failed" = e.detail.status;
    location.assign(e.detail.returnUrl + status);
    // @ts-expect-error: an end is never of a handoff that is on its way
    if (e.detail.status === "opened") return;
  });
  // @ts-expect-error: it is an address
  frame.src = 7;
}

document.addEventListener("handoff-state", ({ detail }) => {
  const seq: number = detail.seq;
  if (detail.status === "connected") console.log(detail.id.length + seq);
  // @ts-expect-error: only an end says where to go on
  console.log(detail.returnUrl);
});
window.addEventListener("handoff-ready", ({ detail }) => console.log(detail.type === "ready"));
// @ts-expect-error: there is no such event
window.addEventListener("handoff-ready", ({ detail }) => console.log(detail.height));

const mounted = Handoff.mount(document.body, {
  url: new URL("https://go.example.com/h/key"),
  title: "Continue on your phone",
  onEvent(message) {
    if (message.type === "end") location.assign(message.returnUrl);
    // @ts-expect-error: only an end says where to go on
    else console.log(message.returnUrl);
  },
});
mounted.destroy();
window.Handoff.mount(document.createElement("div"), { url: "https://go.example.com/h/key" }).destroy();
// @ts-expect-error: without an address there is nothing to show
Handoff.mount(document.body, {});
// @ts-expect-error: and it needs a place
Handoff.mount(null, { url: "https://go.example.com/h/key" });
