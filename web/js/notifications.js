// Notifications: the week that one draws on, and fields for more tags.

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const DAY = 1440;
const WEEK = 7 * DAY;
const CELL = 30;
const pad = (number) => String(number).padStart(2, "0");
const clock = (minutes) => `${pad(Math.floor(minutes / 60) % 24)}:${pad(minutes % 60)}`;

// One entry a minute of the week.
let week = new Uint8Array(WEEK);
let drawing = null;

function readRows(rows) {
  week.fill(0);
  for (const row of rows.children) {
    const time = (name) => {
      const [hours, minutes] = (row.querySelector(`[name^="${name}-"]`)?.value ?? "").split(":").map(Number);
      return Number.isFinite(minutes) ? hours * 60 + minutes : null;
    };
    const from = time("from");
    let to = time("to");
    if (from === null || to === null) continue;
    if (to <= from) to += DAY;
    for (const day of row.querySelectorAll('[name^="days-"]:checked')) {
      const start = (Number(day.value) - 1) * DAY;
      for (let minute = start + from; minute < start + to; minute += 1) week[minute % WEEK] = 1;
    }
  }
}

/** The rows that say what is drawn, as the server would write them. */
function rowsOfWeek() {
  const spans = [];
  for (let minute = 0; minute < WEEK; minute += 1) {
    if (!week[minute]) continue;
    if (minute > 0 && week[minute - 1]) spans.at(-1)[1] = minute + 1;
    else spans.push([minute, minute + 1]);
  }
  if (spans.length > 1 && spans[0][0] === 0 && spans.at(-1)[1] === WEEK) spans.at(-1)[1] += spans.shift()[1];
  const rows = new Map();
  const add = (start, end) => {
    const key = `${clock(start % DAY)} ${clock(end % DAY)}`;
    rows.set(key, [...(rows.get(key) ?? []), (Math.floor(start / DAY) % 7) + 1]);
  };
  for (let [start, end] of spans) {
    if (end - start < DAY) {
      add(start, end);
      continue;
    }
    while (start < end) {
      const midnight = (Math.floor(start / DAY) + 1) * DAY;
      add(start, Math.min(midnight, end));
      start = midnight;
    }
  }
  return [...rows].map(([key, days]) => [days.sort(), ...key.split(" ")]).sort((a, b) => a[0][0] - b[0][0]);
}

function writeRows(rows) {
  const model = rows.children[0];
  const made = rowsOfWeek().map(([days, from, to], number) => {
    const row = model.cloneNode(true);
    row.querySelector("legend").textContent = `Times ${number + 1}`;
    for (const day of row.querySelectorAll('[name^="days-"]')) {
      day.name = `days-${number}`;
      day.checked = days.includes(Number(day.value));
    }
    for (const [name, value] of [["from", from], ["to", to]]) {
      const field = row.querySelector(`[name^="${name}-"]`);
      field.name = `${name}-${number}`;
      field.step = 60;
      field.value = value;
    }
    return row;
  });
  if (made.length === 0) {
    made.push(model.cloneNode(true));
    for (const field of made[0].querySelectorAll("input")) field.type === "time" ? (field.value = "") : (field.checked = false);
  }
  rows.replaceChildren(...made);
}

function paint(grid) {
  for (const cell of grid.querySelectorAll(".week-cell")) {
    const start = Number(cell.dataset.at);
    const count = week.subarray(start, start + CELL).reduce((sum, on) => sum + on, 0);
    cell.setAttribute("aria-selected", count === CELL);
    cell.classList.toggle("partly", count > 0 && count < CELL);
  }
}

function put(cell, on) {
  const start = Number(cell.dataset.at);
  week.fill(on ? 1 : 0, start, start + CELL);
  cell.setAttribute("aria-selected", on);
  cell.classList.remove("partly");
}

const isOn = (cell) => cell.getAttribute("aria-selected") === "true";

/** From where drawing began to `cell`: all hours between on all days between. */
function stretch(grid, cell) {
  week.set(drawing.before);
  paint(grid);
  const ends = [drawing.start, Number(cell.dataset.at)];
  const [days, hours] = [ends.map((at) => Math.floor(at / DAY)), ends.map((at) => at % DAY)];
  for (const other of grid.querySelectorAll(".week-cell")) {
    const at = Number(other.dataset.at);
    const [day, hour] = [Math.floor(at / DAY), at % DAY];
    if (day >= Math.min(...days) && day <= Math.max(...days) && hour >= Math.min(...hours) && hour <= Math.max(...hours)) put(other, drawing.on);
  }
}

function focusCell(grid, cell) {
  for (const other of grid.querySelectorAll('.week-cell[tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function build(place, rows) {
  const grid = element("div", "week-grid");
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", "The week. Arrow keys move, space switches half an hour on or off, with shift they draw.");
  grid.setAttribute("aria-multiselectable", "true");
  const hours = element("div", "week-day week-hours");
  hours.setAttribute("aria-hidden", "true");
  hours.append(element("span", "week-name"));
  for (let hour = 0; hour < 24; hour += 1) hours.append(element("span", "week-hour", hour % 3 ? "" : String(hour)));
  grid.append(hours);
  DAYS.forEach((name, day) => {
    const line = element("div", "week-day");
    line.setAttribute("role", "row");
    const head = element("span", "week-name", name.slice(0, 3));
    head.setAttribute("role", "rowheader");
    head.setAttribute("aria-label", name);
    line.append(head);
    for (let minute = 0; minute < DAY; minute += CELL) {
      const cell = element("span", minute % 60 ? "week-cell" : "week-cell hour");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-label", `${name} ${clock(minute)}`);
      cell.dataset.at = day * DAY + minute;
      cell.tabIndex = day === 0 && minute === 480 ? 0 : -1;
      line.append(cell);
    }
    grid.append(line);
  });
  const tools = element("div", "week-tools");
  tools.append(element("span", "quiet", "Draw with mouse or finger; again to wipe."));
  for (const [text, from, to, days] of [["Working hours", 480, 960, 5], ["Nights", 1320, 1800, 7], ["Always", 0, DAY, 7], ["Nothing", 0, 0, 0]]) {
    const button = element("button", "small", text);
    button.type = "button";
    button.addEventListener("click", () => {
      week.fill(0);
      for (let day = 0; day < days; day += 1) for (let minute = from; minute < to; minute += 1) week[(day * DAY + minute) % WEEK] = 1;
      paint(grid);
      writeRows(rows);
    });
    tools.append(button);
  }
  place.replaceChildren(tools, grid);
  place.hidden = false;
  return grid;
}

function arrive() {
  const [place, rows] = [document.getElementById("week"), document.getElementById("week-rows")];
  if (!place || !rows) return;
  if (!place.firstChild) {
    build(place, rows);
    document.getElementById("week-list").open = false;
  }
  readRows(rows);
  paint(place.querySelector(".week-grid"));
}

document.addEventListener("pointerdown", (event) => {
  const cell = event.target.closest(".week-cell");
  if (!cell || event.button !== 0) return;
  event.preventDefault();
  if (cell.hasPointerCapture?.(event.pointerId)) cell.releasePointerCapture(event.pointerId);
  const grid = cell.closest(".week-grid");
  drawing = { grid, on: !isOn(cell), start: Number(cell.dataset.at), before: week.slice() };
  focusCell(grid, cell);
  stretch(grid, cell);
});

document.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest(".week-cell");
  if (cell) stretch(drawing.grid, cell);
});

for (const name of ["pointerup", "pointercancel"]) {
  document.addEventListener(name, () => {
    if (drawing) writeRows(document.getElementById("week-rows"));
    drawing = null;
  });
}

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".week-cell");
  if (!cell) return;
  const grid = cell.closest(".week-grid");
  const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
  const edge = { Home: 0, End: DAY - CELL }[event.key];
  if (event.key === " " || event.key === "Enter") {
    put(cell, !isOn(cell));
    writeRows(document.getElementById("week-rows"));
  } else if (step || edge !== undefined) {
    const at = Number(cell.dataset.at);
    let [day, minute] = [Math.floor(at / DAY), at % DAY];
    if (step) {
      // Where days are lines, hours lie beside each other.
      const lines = getComputedStyle(grid).flexDirection === "column";
      const [days, cells] = lines ? [step[1], step[0]] : step;
      day = (day + days + 7) % 7;
      minute = Math.min(DAY - CELL, Math.max(0, minute + cells * CELL));
    } else minute = edge;
    const next = grid.querySelector(`[data-at="${day * DAY + minute}"]`);
    if (event.shiftKey && isOn(next) !== isOn(cell)) {
      put(next, isOn(cell));
      writeRows(document.getElementById("week-rows"));
    }
    focusCell(grid, next);
  } else return;
  event.preventDefault();
});

document.addEventListener("input", (event) => {
  const rows = event.target.closest?.("#week-rows");
  if (rows) {
    readRows(rows);
    const grid = document.querySelector(".week-grid");
    if (grid) paint(grid);
  }
  const tags = event.target.closest?.("[data-tag-fields]");
  if (!tags) return;
  if ([...tags.querySelectorAll("input")].every((field) => field.value)) {
    const more = tags.lastElementChild.cloneNode();
    more.value = "";
    more.setAttribute("aria-label", `Tag ${tags.children.length + 1}`);
    tags.append(more);
  }
});

document.addEventListener("htmx:after:swap", arrive);
arrive();
