// Copies SQL. Without this, or where a browser forbids it, the text is selected by one click.

import { t } from "./i18n.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const [pre, said] = [button.parentElement.querySelector("pre"), button.parentElement.querySelector(".copied")];
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      said.textContent = t("Copied.");
    } catch {
      said.textContent = t("The browser does not allow it: select the text and copy it.");
    }
  });
}
