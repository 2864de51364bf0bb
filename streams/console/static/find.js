// Finds a site while its name is typed: rows that do not match are hidden, Enter goes to the only one that is left or
// asks the server, which knows those too that are not on the page.

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export function bindFind() {
  const field = document.querySelector("[data-find]");
  if (!field || field.dataset.bound) return;
  field.dataset.bound = "yes";
  const rows = () => [...document.querySelectorAll("#sites > [data-row]")];
  const shown = () => rows().filter((row) => !row.hidden);
  const filter = () => {
    const sought = fold(field.value.trim());
    for (const row of rows()) row.hidden = !fold(`${row.querySelector(".who").textContent} ${row.dataset.row}`).includes(sought);
  };
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && field.value) {
      field.value = "";
      filter();
      event.preventDefault();
    }
  });
  field.form.addEventListener("submit", (event) => {
    const [only, ...others] = shown();
    if (!field.value.trim() || !only || others.length) return;
    event.preventDefault();
    only.querySelector("[data-select]").click();
  });
  if (location.hash === "#find") field.focus();
  if (field.value !== field.defaultValue) filter();
}
