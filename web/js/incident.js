// The page of one incident: its forms, and what others do while it is open.

const { $, $$, on } = window.argusd;
const typed = "textarea, input:not([type=hidden])";
const page = () => $("[data-incident]");
let sent = null;

on("submit", (event) => {
	const form = event.target;
	sent = form.method === "post" && form.closest("[data-incident]") ? form : null;
});

/** Morphing keeps what was typed, also where it was accepted. */
function conclude() {
	const form = sent;
	sent = null;
	if (!form?.isConnected || !page()) return;
	if ($(".problem", form)) return;
	form.reset();
	form.closest("details")?.querySelector("summary").focus();
}

on("toggle", ({ target }) => {
	if (target.matches(".action[open]:focus-within")) $(typed, target)?.focus();
}, true);

on("keydown", (event) => {
	const action = event.key === "Escape" && $(".action[open]");
	if (!action) return;
	action.open = false;
	$("summary", action).focus();
});

const isChanged = (field) => field === document.activeElement || field.checked !== field.defaultChecked
	|| ("defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue);

let running = false;
let again = false;

/** Shows the incident as it is now. Forms that are being filled in stay, and what is open. */
async function refreshIncident() {
	again = running;
	const article = page();
	if (!article || running) return;
	running = true;
	try {
		const path = `/incidents/${article.dataset.incident}/`;
		const query = location.pathname === path ? location.search : "";
		const answer = await fetch(path + query, { headers: { "HX-Request": "true" } });
		if (answer.headers.get("HX-Redirect")) return window.argusd.loggedOut();
		const main = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
		if (!main || page() !== article || sent) return;
		for (const details of $$("details[id]", article)) {
			const twin = $(`#${CSS.escape(details.id)}`, main);
			if (twin) twin.open = details.open;
		}
		const kept = $$("form", article).filter((form) => $(".problem", form) || [...form.elements].some(isChanged));
		for (const form of kept) form.setAttribute("hx-morph-skip", "");
		const target = $("#main");
		await window.htmx.swap({ sourceElement: target, target, text: main.outerHTML, swap: "outerMorph", push: "false" });
		for (const form of kept) form.removeAttribute("hx-morph-skip");
	} catch {
		// The stream says when the server can be reached again.
	} finally {
		running = false;
		if (again) refreshIncident();
	}
}

let watched = null;

function arrive() {
	conclude();
	const now = page();
	if (watched?.pk === now?.dataset.incident) return;
	watched?.leave();
	const { incident: pk, seq } = now?.dataset ?? {};
	watched = pk ? { pk, leave: window.argusd.live.join("watch", pk, seq, { refresh: refreshIncident }) } : null;
}

on("htmx:after:swap", arrive);
on("htmx:finally:request", () => { sent = null; });
arrive();
