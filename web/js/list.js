// The list of incidents: rows that are pushed, what is selected, keys.

const { $, $$, on, writeTimes } = window.argusd;

let joined = null;
let chosen = new Set();
let all = false;
let undo = {};
let held = new Map();
let current = null;
let lastRefresh = -2000;
let timers = {};

const list = () => $("#list");
const rows = () => $("#rows");
const row = (pk) => $(`#i${pk}`);

function later(name, wait, work) {
	clearTimeout(timers[name]);
	timers[name] = setTimeout(work, wait);
}

// What is selected: rows, or what matched when "all" was ticked.

/** Whatever the order. */
const scope = () => $("[data-news]")?.dataset.news;

function keep() {
	if (scope()) sessionStorage.chosen = JSON.stringify([scope(), [...chosen]]);
}

const outcome = () => $(".outcome")?.dataset.outcome ?? "";

function recall() {
	const [view, keys] = JSON.parse(sessionStorage.chosen ?? "[null,[]]");
	const isDone = outcome() && (sessionStorage.sent ?? outcome()) !== outcome();
	if (isDone) {
		delete sessionStorage.sent;
		$("#bulk").reset();
	}
	if (isDone || view !== scope()) clear();
	else chosen = new Set(keys);
	countDown();
}

function choose(keys, on) {
	for (const pk of keys) chosen[on ? "add" : "delete"](pk);
	all = false;
	keep();
	showChosen();
}

function clear() {
	chosen.clear();
	all = false;
	keep();
	showChosen();
}

const matched = () => ({ at: list().dataset.at, count: $("[data-matching]").textContent });

function showChosen() {
	for (const box of $$("#rows input[name=pk]")) {
		box.checked = chosen.has(box.value);
		box.closest("tr").classList.toggle("chosen", box.checked);
	}
	const bar = $("#bulk-bar");
	if (!bar) return;
	const { at, count } = all || matched();
	$("[data-all]", bar).checked = all;
	$("[name=as_of]", bar).value = at;
	$("[data-all-count]", bar).textContent = count;
	bar.classList.toggle("active", chosen.size > 0 || all);
	$("[data-selected]", bar).textContent = `${all ? count : chosen.size} selected`;
	const page = $("[data-select-page]");
	if (page) page.checked = chosen.size > 0 && $$("#rows input[name=pk]").every((box) => box.checked);
}

/** By the time of day, which goes on while the machine sleeps. */
function countDown() {
	const form = $("[data-undo-for]");
	if (!form) return;
	const of = form.action + form.dataset.undoFor;
	if (undo.of !== of) undo = { of, ends: Date.now() + +form.dataset.undoFor };
	const left = Math.ceil((undo.ends - Date.now()) / 1000);
	if (left > 0 && left <= 60) $("span", form).textContent = `(${left} s)`;
	else form.replaceWith("Too late to undo.");
}

function parse(html) {
	const body = document.createElement("tbody");
	body.innerHTML = html;
	writeTimes(body);
	return body.firstElementChild;
}

/** A page full of animations would keep browsers busy. */
function mark(element, kind) {
	element.classList.add(kind);
	setTimeout(() => element.classList.remove(kind), 2000);
}

function patchRow(old, fresh) {
	fresh.classList.toggle("current", old.matches(".current"));
	old.className = fresh.className;
	mark(old, "changed");
	old.dataset.start = fresh.dataset.start;
	for (const cell of fresh.children) {
		if (cell.matches(".c-select")) continue;
		const there = $(`.${cell.classList[0]}`, old);
		if (!there || there.innerHTML === cell.innerHTML) continue;
		const focused = $$("a, summary", there).indexOf(document.activeElement);
		const open = $("details[open]", there);
		there.replaceChildren(...cell.childNodes);
		if (open) for (const menu of $$("details", there)) menu.open = true;
		if (focused >= 0) $$("a, summary", there)[focused]?.focus();
	}
}

const isBusy = (element) => element.matches(".chosen, :hover, :focus-within");

/** The first page, and the newest are on top. */
const canInsert = () => "newestFirst" in list().dataset;

/** Nothing moves under somebody's hands. */
function isQuiet() {
	if ("kiosk" in list().dataset) return true;
	return !rows().matches(":hover, :focus-within, :has(details[open])") && chosen.size === 0 && scrollY < 300;
}

function insert(fresh) {
	const { start, pk } = fresh.dataset;
	const before = [...rows().children].find(({ dataset: it }) => (it.start - start || it.pk - pk) < 0);
	const { limit } = list().dataset;
	if (!before && rows().children.length >= limit) return;
	mark(fresh, "new");
	rows().insertBefore(fresh, before ?? null);
	for (const last of [...rows().children].slice(limit).reverse()) if (!isBusy(last)) last.remove();
}

function showHeld() {
	const button = $("[data-news]");
	if (!button) return;
	button.hidden = held.size === 0;
	button.textContent = `Show ${held.size} new`;
}

function release() {
	if (canInsert()) for (const fresh of held.values()) insert(fresh);
	held.clear();
	showHeld();
	showChosen();
}

const matching = () => Number($("[data-matching]").textContent);
const counts = "[data-matching], [type=radio]:checked + [data-facet]";

/** The same number wherever it is shown. */
function count(number) {
	for (const element of $$(counts)) element.textContent = number;
	document.title = document.title.replace(/^\d+(.*incident)s?/, `${number}$1${number === 1 ? "" : "s"}`);
}

/** The page does not run empty. */
function fill(isFewer) {
	const there = $$("#rows > tr:not(.gone)").length + held.size;
	const least = Math.max(1, Math.min(matching(), list().dataset.limit * 0.75));
	if ((isFewer && there < least) || $(".first-steps") || (matching() && $(".empty"))) refresh();
}

function take(patch) {
	if (!rows()) return;
	// While the layout is known.
	const quiet = isQuiet();
	for (const [pk, html] of patch.rows) {
		const fresh = parse(html);
		if (row(pk)) patchRow(row(pk), fresh);
		else if (held.has(pk) || patch.new.includes(pk)) held.set(pk, fresh);
	}
	for (const pk of patch.gone) {
		held.delete(pk);
		row(pk)?.classList.add("gone");
	}
	setTimeout(() => { for (const left of $$("#rows > .gone")) if (!isBusy(left)) left.remove(); }, 4000);
	count(patch.matching ?? Math.max(0, matching() + patch.delta));
	$("[data-total]").textContent = patch.total;
	list().dataset.at = patch.at;
	if (canInsert() && quiet) release();
	else showHeld();
	showChosen();
	fill(patch.gone.length);
	if (patch.new.length) alarm(patch.new.length);
	timers.facets ??= setTimeout(facets, 5000);
}

function alarm(many) {
	const { sound, notify: notice } = list().dataset;
	if (sound) new Audio(sound).play().catch(() => {});
	if (notice != null && document.hidden && window.Notification?.permission === "granted") {
		new Notification(`argusd: ${many} new`, { tag: "argusd" });
	}
}

function refresh() {
	later("refresh", lastRefresh + 2000 - performance.now(), () => {
		lastRefresh = performance.now();
		if (!list()) return;
		const open = $$("details[open]", list());
		window.htmx.ajax("GET", location.href, { source: list(), target: "#list", select: "#list", swap: "outerMorph" })
			.then(() => { for (const menu of open) menu.open = true; });
	});
}

function state(now) {
	const element = $("[data-live-state]");
	element.textContent = now === "live" ? now : "not live";
	element.classList.toggle("on", now === "live");
}

async function get(address) {
	const answer = await fetch(address);
	return answer.ok && !answer.redirected ? answer.text() : null;
}

async function facets() {
	timers.facets = null;
	const form = $("[data-facets]");
	if (!form || document.hidden) return;
	const found = JSON.parse(await get(form.dataset.facets));
	if (!found) return;
	for (const element of $$("[data-facet]", form)) element.textContent = found[element.dataset.facet] ?? 0;
	count(matching());
}

async function suggest(input) {
	const options = await get(`${input.dataset.suggest}?q=${encodeURIComponent(input.value)}`);
	const page = new DOMParser().parseFromString(options ?? "", "text/html");
	input.list?.replaceChildren(...$$("option", page));
}

function arrive() {
	const now = list();
	joined?.leave();
	if (joined?.view !== now?.dataset.view) held.clear();
	joined = null;
	if (!now) return;
	recall();
	showChosen();
	for (const pk of held.keys()) if (row(pk)) held.delete(pk);
	showHeld();
	// Pushes go on from where this page ends, or they would count twice or not at all.
	const { view, seq } = now.dataset;
	const kind = "kiosk" in now.dataset ? "wall" : "list";
	joined = { view, leave: window.argusd.live.join(kind, view, seq, { rows: take, refresh, state }) };
	facets();
	row(current)?.classList.add("current");
}

function go(step) {
	const all = $$("#rows > tr");
	const at = all.findIndex((element) => element.dataset.pk === current);
	const next = all[at < 0 ? 0 : at + step];
	if (!next) return;
	for (const element of all) element.classList.toggle("current", element === next);
	current = next.dataset.pk;
	next.focus({ preventScroll: true });
	next.scrollIntoView({ block: "nearest" });
}

function chooseCurrent() {
	if (!chosen.size && !all && row(current)) choose([current], true);
	return chosen.size || all;
}

const press = (action) => { if (chooseCurrent()) $(`#bulk-bar [value=${action}]`)?.click(); };
const write = (field) => { if (chooseCurrent()) $(`#bulk-${field}`)?.focus(); };
const open = () => { if (current) $(`#i${current} a[href^="/incidents/"]`)?.click(); };
const keys = {
	j: () => go(1),
	k: () => go(-1),
	o: open,
	Enter: open,
	x: () => { if (row(current)) choose([current], !chosen.has(current)); },
	"*": () => $("[data-select-page]")?.click(),
	a: () => write("message"),
	t: () => write("ticket"),
	c: () => press("close"),
	r: () => press("reopen"),
	u: () => $("[data-undo]")?.click(),
	n: () => $("[data-news]:not([hidden])")?.click(),
	"/": () => $("#q")?.focus(),
	f: () => { location.hash = "filters"; $("#filters input:checked")?.focus(); },
	"?": () => $("#keys")?.showModal(),
	Escape: () => {
		if (location.hash === "#filters") location.hash = "list";
		clear();
	},
};

on("keydown", (event) => {
	if (!list() || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
	if (event.target.closest("input, select, textarea")) {
		if (event.key === "Escape") event.target.blur();
		return;
	}
	if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
	const work = keys[event.key];
	if (!work) return;
	event.preventDefault();
	work();
});

on("change", (event) => {
	const box = event.target;
	if (box.matches("#rows input[name=pk]")) choose([box.value], box.checked);
	else if (box.matches("[data-select-page]")) choose($$("#rows input[name=pk]").map((one) => one.value), box.checked);
	else if (box.matches("[data-all]")) {
		all = box.checked && matched();
		showChosen();
	}
	else if (box.closest("#filters form")) later("filter", 120, () => box.form.requestSubmit());
});

on("input", (event) => {
	if (event.target.matches("[data-suggest]")) later("suggest", 150, () => suggest(event.target));
});

on("click", (event) => {
	if (event.target.closest("[data-news]")) release();
	else if (event.target.closest("[data-keys]")) $("#keys")?.showModal();
	else if (event.target.closest("[data-clear]")) clear();
});

on("submit", ({ target }) => {
	if (target.id !== "bulk") return;
	sessionStorage.sent = outcome();
	$("[name=pks]").value = [...chosen];
}, true);

on("htmx:after:swap", arrive);
setInterval(countDown, 1000);
arrive();
