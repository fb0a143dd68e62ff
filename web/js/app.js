// What every page does: times, menus, notices, copying, forms that are sent once.

const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function span(seconds) {
	const first = units.findIndex(([size]) => seconds >= size);
	if (first < 0) return "0 s";
	let left = Math.floor(seconds);
	return units.slice(first, first + 2).map(([size, name]) => {
		const count = Math.floor(left / size);
		left %= size;
		return count ? `${count} ${name}` : "";
	}).filter(Boolean).join(" ");
}

const root = document.documentElement;
const $ = (selector, scope = document) => scope.querySelector(selector);
const $$ = (selector, scope = document) => [...scope.querySelectorAll(selector)];
const on = (...how) => document.addEventListener(...how);
const parts = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit", second: "2-digit" };
let zone = root.dataset.zone;
try {
	new Date().toLocaleString("en", { timeZone: zone });
} catch {
	zone = undefined;
}

/** Without the year where it is this one. */
function moment(at) {
	const year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
	return at.toLocaleString(navigator.language, { year, ...parts, timeZone: zone });
}

function put(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

/** Writes all times, or those within `scope`. */
function writeTimes(scope = document) {
	const now = Date.now();
	if (root.dataset.dates === "locale") {
		for (const time of $$("time[data-time]", scope)) {
			put(time, moment(new Date(time.dateTime)));
		}
	}
	for (const time of $$("time[data-age], time[data-ago]", scope)) {
		const passed = (now - Date.parse(time.dateTime)) / 1000;
		if ("age" in time.dataset) put(time, span(Math.max(0, passed)));
		else put(time, Math.abs(passed) < 1 ? "now" : passed > 0 ? `${span(passed)} ago` : `in ${span(-passed)}`);
	}
}

/** What is being typed stays. */
const loggedOut = (is = true) => { $("#logged-out").hidden = !is; };

/** Says something for a while. */
function notify(text, after = 6000) {
	const notice = document.createElement("p");
	notice.className = "notice";
	notice.textContent = text;
	$("#notices")?.append(notice);
	setTimeout(() => notice.remove(), after);
}

function arrive() {
	writeTimes();
	const again = $("[data-reload-every]");
	if (again) setTimeout(() => location.reload(), Number(again.dataset.reloadEvery));
	for (const notice of $$("[data-notice]")) {
		notice.removeAttribute("data-notice");
		setTimeout(() => notice.remove(), 6000);
	}
}

function closeMenus(but) {
	for (const menu of $$("details.menu[open]")) if (!menu.contains(but)) menu.open = false;
}

on("click", (event) => {
	closeMenus(event.target);
	const copy = event.target.closest("[data-copy]");
	if (copy) {
		const source = $(copy.dataset.copy);
		navigator.clipboard?.writeText(source?.textContent.trim() ?? "").then(() => notify("Copied.", 2000));
	}
});

on("keydown", (event) => {
	if (event.key !== "Escape") return;
	$("details.menu[open] summary")?.focus();
	closeMenus();
});

on("change", ({ target }) => {
	if (target.matches("select[data-submit]")) target.form.requestSubmit();
	if (target.matches("[data-ask-notices]:checked")) window.Notification?.requestPermission();
});

function stop(event) {
	event.preventDefault();
	event.stopImmediatePropagation();
}

// Not twice: the second click of two, or what is under way.
on("click", (event) => {
	if (event.detail > 1 && event.target.closest("button")?.form?.method === "post") stop(event);
}, true);

on("submit", (event) => {
	const form = event.target;
	const text = event.submitter?.dataset.confirm ?? form.dataset.confirm;
	if (form.ariaBusy || (text && !window.confirm(text))) stop(event);
	else if (form.method === "post") form.ariaBusy = true;
}, true);

function free() {
	for (const form of $$("[aria-busy]")) form.ariaBusy = null;
}

// Whoever went back may send it again.
addEventListener("pageshow", ({ persisted }) => {
	if (!persisted) return;
	free();
	for (const field of $$("[name=form_number]")) field.value += 1;
});

on("htmx:finally:request", free);
on("htmx:before:response", (event) => {
	const { hx, request, sourceElement: from } = event.detail.ctx;
	if (!hx.redirect || (request.method === "GET" && from.matches("a, form"))) return;
	event.preventDefault();
	loggedOut();
});
on("htmx:after:swap", arrive);
on("htmx:error", () => notify("The server cannot be reached."));
setInterval(() => { if (!document.hidden) writeTimes(); }, 15000);
arrive();
root.classList.add("js");
window.argusd = { $, $$, on, moment, writeTimes, notify, loggedOut };
