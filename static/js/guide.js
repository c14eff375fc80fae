// The guide's one convenience: a button on each sample that copies it whole.
for (const figure of document.querySelectorAll("figure.sample")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(figure.querySelector("code").textContent + "\n");
      button.textContent = "Copied";
    } catch {
      // Plain http beyond this machine has no clipboard: leave it marked, ready to be copied by hand.
      getSelection().selectAllChildren(figure.querySelector("code"));
      button.textContent = "Marked: copy it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 4000);
  });
  figure.querySelector("figcaption").append(button);
}
