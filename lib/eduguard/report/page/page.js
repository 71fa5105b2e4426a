"use strict";
// Without this script the page shows all the same: only copying and filtering are missing.

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    if (!document.execCommand("copy")) {
      button.textContent = "Press Ctrl+C";
      return;
    }
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function filter(list, text, output) {
  const wanted = text.trim().toLowerCase();
  let shown = 0;
  for (const item of list.children) {
    item.hidden = !item.textContent.toLowerCase().includes(wanted);
    shown += !item.hidden;
  }
  output.textContent = wanted ? `${shown.toLocaleString("en")} of ${list.children.length.toLocaleString("en")}` : "";
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
for (const details of document.querySelectorAll("details")) {
  const list = details.querySelector("ul.items"), line = details.querySelector(".filter");
  if (!list || list.children.length < 10) continue;
  line.hidden = false;
  const input = line.querySelector("input"), output = line.querySelector("output");
  input.addEventListener("input", () => filter(list, input.value, output));
}
