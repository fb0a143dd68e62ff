// Joins the stream that all tabs share. `join` returns a function that leaves.

const data = document.documentElement.dataset;
const script = data.liveWorker;
const { $, moment } = window.argusd;
const members = new Map();
let send;

function hear({ name, type, state, since, patch }) {
	const member = members.get(name);
	if (!member) return;
	if (type === "end") window.argusd.loggedOut();
	member.works[type]?.(patch ?? state);
	if (type !== "state") return;
	clearInterval(member.poll);
	if (state === "live") window.argusd.loggedOut(false);
	else member.poll = setInterval(member.works.refresh, 30000);
	const last = moment(new Date(Math.max(since, member.joined.from)));
	$("#stale").textContent = state === "off" ? `No updates since ${last}. Reconnecting…` : "";
}

async function connect() {
	if ("SharedWorker" in window) {
		const { port } = new SharedWorker(script, { name: "argusd" });
		port.onmessage = ({ data }) => hear(data);
		return (message) => port.postMessage(message);
	}
	await import(script);
	return (message) => globalThis.argusdHub.hear(message, hear);
}

async function tell(message) {
	send ??= connect();
	(await send)(message);
}

function join(kind, about, seq, works) {
	const name = crypto.getRandomValues(new Uint32Array(2)).join("");
	const joined = { kind, about, seq, name, from: Date.now(), silence: data.liveSilence };
	members.set(name, { joined, works });
	tell({ join: joined });
	return () => {
		clearInterval(members.get(name)?.poll);
		members.delete(name);
		tell({ leave: name });
	};
}

const rejoin = () => { for (const { joined } of members.values()) tell({ join: joined }); };
setInterval(rejoin, 50000);
addEventListener("pagehide", () => { for (const name of members.keys()) tell({ leave: name }); });
addEventListener("pageshow", ({ persisted }) => persisted && rejoin());
// After a sleep, and in another network.
addEventListener("visibilitychange", () => tell({ wake: 0.5 }));
addEventListener("online", () => tell({ wake: 0 }));

window.argusd.live = { join };
