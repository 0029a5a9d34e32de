// Makes an event of every button that says what it does: <button data-act="accept" data-clip="...">.
// The fields of the form around it go along by their names. For `js_on_load` of gr.HTML, where an
// event tells what it is about by itself, whatever has been drawn anew since.
element.addEventListener("submit", (event) => event.preventDefault());
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button || button.disabled) return;
  const form = button.closest("form");
  const fields = form ? Object.fromEntries(new FormData(form)) : {};
  trigger("click", { ...fields, ...form?.dataset, ...button.dataset });
});
