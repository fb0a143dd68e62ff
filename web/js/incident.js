// The page of one incident: forms that begin anew once they were accepted, and what others do while it is open.

const page = () => document.querySelector("[data-incident]");
let sent = null;

document.addEventListener("submit", (event) => {
  sent = event.target.closest("[data-incident]") && event.target.method === "post" ? event.target : null;
});

/** Morphing keeps what was typed. Here it was accepted, or is shown again with the problem. */
document.addEventListener("htmx:after:swap", () => {
  const form = sent;
  if (!form?.isConnected || !page()) return;
  sent = null;
  if (form.querySelector(".problem")) {
    form.querySelector("input:not([type=hidden]), textarea")?.focus();
    return;
  }
  form.reset();
  form.closest("details")?.querySelector("summary")?.focus();
});

document.addEventListener("toggle", (event) => {
  const action = event.target;
  if (!action.open || !action.matches?.(".action") || action.contains(document.activeElement) === false) return;
  action.querySelector("textarea, input:not([type=hidden], [type=radio])")?.focus();
}, true);

const changed = (field) => {
  if (field === document.activeElement) return true;
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return "defaultValue" in field && field.value !== field.defaultValue;
};

let running = false;
let again = false;

/** Shows the incident as it is now. What is being typed, and what is open, stays. */
export async function refreshIncident() {
  const article = page();
  if (!article || running) {
    again = running;
    return;
  }
  running = true;
  try {
    const pk = article.dataset.incident;
    const query = location.pathname === `/incidents/${pk}/` ? location.search : "";
    const answer = await fetch(`/incidents/${pk}/${query}`, { headers: { "HX-Request": "true" } });
    if (answer.headers.has("HX-Redirect")) return location.assign(answer.headers.get("HX-Redirect"));
    const news = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = news.getElementById("main");
    if (!fresh || page() !== article || sent) return;
    for (const details of article.querySelectorAll("details[id]")) {
      const twin = fresh.querySelector(`#${CSS.escape(details.id)}`);
      if (twin) twin.open = details.open;
    }
    const kept = [...article.querySelectorAll("form")].filter((form) =>
      form.querySelector(".problem") || [...form.elements].some(changed));
    for (const form of kept) form.setAttribute("hx-morph-skip", "");
    const main = document.getElementById("main");
    await window.htmx.swap({ sourceElement: main, target: main, text: fresh.outerHTML, swap: "outerMorph", push: "false" });
    for (const form of kept) form.removeAttribute("hx-morph-skip");
  } finally {
    running = false;
    if (again) {
      again = false;
      refreshIncident();
    }
  }
}
