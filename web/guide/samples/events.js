const frame = document.querySelector("handoff-frame");
frame.addEventListener("handoff-state", (event) => {
  console.log(event.detail.status);
});
frame.addEventListener("handoff-end", (event) => {
  if (event.detail.returnUrl) location.assign(event.detail.returnUrl);
});
