const mounted = Handoff.mount(document.getElementById("here"), {
  url: displayUrl, // from your backend
  onEvent: (event) => console.log(event.type, event.status),
});
// and when it is no longer wanted:
mounted.destroy();
