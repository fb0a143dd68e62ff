// Notifications: the week that one draws on, and fields for more tags.

const NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const DAY = 1440, WEEK = 7 * DAY, CELL = 30;
const two = (number) => String(number).padStart(2, "0");
const clock = (at) => `${two(Math.floor(at / 60) % 24)}:${two(at % 60)}`;
const rows = () => $("#week-rows");
const { $, $$, on } = window.argusd;
const cells = () => $$(".week-cell");
const isOn = (cell) => cell.ariaSelected === "true";

// One entry a minute.
const week = new Uint8Array(WEEK);
let drawing = null;

function fill(from, to, on) {
	for (let at = from; at < to; at += 1) week[at % WEEK] = on;
}

function read() {
	week.fill(0);
	for (const row of rows().children) {
		const [from, to] = ["from", "to"].map((name) => {
			const [hours, minutes] = $(`[name^=${name}]`, row).value.split(":").map(Number);
			return hours * 60 + minutes;
		});
		if (!(from + to >= 0)) continue;
		for (const day of $$(":checked", row)) {
			fill((day.value - 1) * DAY + from, (day.value - 1) * DAY + to + (to > from ? 0 : DAY), 1);
		}
	}
	paint();
}

/** The server joins what goes on after midnight. */
function write() {
	const found = new Map();
	for (let at = 0, from = 0; at < WEEK; at += 1) {
		if (at % DAY === 0 || !week[at - 1]) from = at;
		if (!week[at] || (week[at + 1] && (at + 1) % DAY)) continue;
		const key = `${clock(from % DAY)} ${clock((at + 1) % DAY)}`;
		found.set(key, [...(found.get(key) ?? []), String(Math.floor(at / DAY) + 1)]);
	}
	const model = rows().firstElementChild;
	if (!found.size) found.set(" ", []);
	rows().replaceChildren(...[...found].map(([key, days], number) => {
		const row = model.cloneNode(true);
		const times = key.split(" ");
		$("legend", row).textContent = `Times ${number + 1}`;
		for (const field of $$("input", row)) {
			field.name = field.name.replace(/\d+/, number);
			if (field.type === "time") field.value = times.shift();
			else field.checked = days.includes(field.value);
		}
		return row;
	}));
}

function paint() {
	for (const cell of cells()) {
		const count = week.subarray(cell.dataset.at, +cell.dataset.at + CELL).reduce((sum, on) => sum + on, 0);
		cell.ariaSelected = count === CELL;
		cell.classList.toggle("partly", count > 0 && count < CELL);
	}
}

function set(cell, on) {
	const at = +cell.dataset.at;
	fill(at, at + CELL, on ? 1 : 0);
}

/** All hours between, on all days between. */
function stretch(cell) {
	week.set(drawing.before);
	const ends = [drawing.at, +cell.dataset.at];
	const within = (at, part) => [...ends, at].map(part).sort((a, b) => a - b)[1] === part(at);
	for (const other of cells()) {
		const at = +other.dataset.at;
		if (within(at, (it) => Math.floor(it / DAY)) && within(at, (it) => it % DAY)) set(other, drawing.on);
	}
	paint();
}

function focus(cell) {
	for (const other of cells()) other.tabIndex = -1;
	cell.tabIndex = 0;
	cell.focus();
}

function make(parent, name, attributes, text = "") {
	const made = parent.appendChild(document.createElement(name));
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	made.textContent = text;
	return made;
}

function build(place) {
	const tools = make(place, "div", { class: "week-tools" });
	make(tools, "span", { class: "quiet" }, "Click or drag to set hours; repeat to clear.");
	for (const [text, days, from, to] of [["Working hours", 5, 480, 960], ["Nights", 7, 1320, 1800], ["Always", 7, 0, DAY], ["Nothing", 0]]) {
		make(tools, "button", { type: "button", class: "small" }, text).onclick = () => {
			week.fill(0);
			for (let day = 0; day < days; day += 1) fill(day * DAY + from, day * DAY + to, 1);
			paint();
			write();
		};
	}
	const label = "Week. Arrow keys move, Space switches half an hour on or off, Shift and arrows draw.";
	const grid = make(place, "div", { class: "week-grid", role: "grid", "aria-multiselectable": "true", "aria-label": label });
	const hours = make(grid, "div", { class: "week-day week-hours", "aria-hidden": "true" });
	make(hours, "span", { class: "week-name" });
	for (let hour = 0; hour < 24; hour += 1) make(hours, "span", { class: "week-hour" }, hour % 3 ? "" : hour);
	NAMES.forEach((name, day) => {
		const line = make(grid, "div", { class: "week-day", role: "row" });
		make(line, "span", { class: "week-name", role: "rowheader", "aria-label": name }, name.slice(0, 3));
		for (let at = 0; at < DAY; at += CELL) {
			const label = `${name} ${clock(at)}`, kind = at % 60 ? "week-cell" : "week-cell hour";
			make(line, "span", { class: kind, role: "gridcell", "aria-label": label, "data-at": day * DAY + at, tabindex: day || at !== 480 ? -1 : 0 });
		}
	});
	place.hidden = false;
	$("#week-list").open = false;
}

function arrive() {
	const place = $("#week");
	if (!place || drawing) return;
	if (!place.firstChild) build(place);
	read();
}

on("pointerdown", (event) => {
	const cell = event.target.closest(".week-cell");
	if (!cell || event.button) return;
	event.preventDefault();
	drawing = { on: !isOn(cell), at: +cell.dataset.at, before: week.slice() };
	focus(cell);
	stretch(cell);
});

on("pointermove", (event) => {
	const cell = drawing && document.elementFromPoint(event.clientX, event.clientY)?.closest(".week-cell");
	if (cell) stretch(cell);
});

function lift() {
	if (drawing) write();
	drawing = null;
}

on("pointerup", lift);
on("pointercancel", lift);

on("keydown", (event) => {
	const cell = event.target.closest?.(".week-cell");
	if (!cell) return;
	const at = +cell.dataset.at;
	let next = cell;
	if (event.key === " ") {
		set(cell, !isOn(cell));
	} else {
		const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
		if (!step) return;
		// Where days are lines, hours lie beside each other.
		if (getComputedStyle(cell.parentNode).flexDirection === "row") step.reverse();
		const day = (Math.floor(at / DAY) + step[0] + 7) % 7;
		const hour = Math.min(DAY - CELL, Math.max(0, (at % DAY) + step[1] * CELL));
		next = $(`[data-at="${day * DAY + hour}"]`);
		if (event.shiftKey) set(next, isOn(cell));
	}
	event.preventDefault();
	paint();
	write();
	focus(next);
});

on("input", (event) => {
	if (event.target.closest?.("#week-rows")) read();
	const tags = event.target.closest?.("[data-tag-fields]");
	if (tags && [...tags.children].every((field) => field.value)) {
		const more = tags.appendChild(tags.lastElementChild.cloneNode());
		more.value = "";
		more.ariaLabel = `Tag ${tags.children.length}`;
	}
});

on("htmx:after:swap", arrive);
arrive();
