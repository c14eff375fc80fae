const mounted = Handoff.mount(document.getElementById("here"), {
  url: displayUrl, // from your backend
  title: "Continue on your phone",
  onEvent: (event) => console.log(event.type, event.status),
});
// and when it is no longer wanted:
mounted.destroy();
