// Sorts a table by the column whose head is pressed; data-value is what a cell is sorted by.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".tt-sortable th button");
  if (!button) return;
  const head = button.closest("th");
  const down = head.getAttribute("aria-sort") === "ascending";
  const value = (row) => row.cells[head.cellIndex].dataset.value ?? "";
  const order = new Intl.Collator(telltaleLocale, { numeric: true }).compare;
  const body = head.closest("table").tBodies[0];
  const rows = [...body.rows].sort((a, b) => (down ? -1 : 1) * order(value(a), value(b)));
  body.append(...rows);
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
});
