// One stream for all tabs of this browser. A shared worker, or part of the page.

class Hub {
	constructor() {
		this.members = new Map();
		this.state = "new";
		this.heard = this.opened = Date.now();
		setInterval(() => this.sweep(), 5000);
	}

	hear(message, reply) {
		const { join, leave, wake } = message;
		const known = this.members.get(join?.name);
		if (known) known.missed = 0;
		else if (join) {
			const named = (message) => reply({ ...message, name: join.name, since: this.heard });
			const [seq, at = ""] = join.seq.split(".");
			this.silence = join.silence;
			this.members.set(join.name, { ...join, seq: Number(seq), at, reply: named, missed: 0 });
			named({ type: "state", state: this.state });
			this.connect();
		}
		if (leave && this.members.delete(leave)) this.connect();
		if (wake != null) this.check(wake);
	}

	sweep() {
		for (const [leave, member] of this.members) if (++member.missed > 36) this.hear({ leave });
		this.check(1);
	}

	/** Reopens what was silent for too long, or since before the clock was set back. */
	check(share) {
		const isLive = this.state === "live";
		const quiet = Date.now() - (isLive ? this.heard : this.opened);
		if (!this.members.size || (quiet >= 0 && quiet <= this.silence * Math.min(share, isLive ? 1 : 0.25))) return;
		this.become("off");
		this.connect();
	}

	say(message) {
		for (const member of this.members.values()) member.reply(message);
	}

	become(state) {
		if (this.state === state) return;
		this.state = state;
		this.say({ type: "state", state });
	}

	connect() {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.open(), 30);
	}

	open() {
		this.source?.close();
		this.opened = Date.now();
		if (!this.members.size) {
			this.become("new");
			return;
		}
		const query = new URLSearchParams();
		query.set("seq", Math.min(...[...this.members.values()].map(({ seq }) => seq)));
		for (const [name, member] of this.members) {
			member.on = true;
			query.append(member.kind, `${name}~${member.seq}.${member.at}~${member.about}`);
		}
		const source = this.source = new EventSource(`/live/?${query}`);
		const works = {
			hello: () => this.become("live"),
			rows: ({ data }) => {
				const patch = JSON.parse(data);
				this.members.get(patch.list)?.reply({ type: "rows", patch });
			},
			watched: ({ data }) => this.members.get(data)?.reply({ type: "refresh" }),
			refresh: () => this.say({ type: "refresh" }),
			alive: () => {},
			end: () => {
				source.close();
				this.become("off");
				this.say({ type: "end" });
			},
		};
		for (const [name, work] of Object.entries(works)) {
			source.addEventListener(name, (event) => {
				this.heard = Date.now();
				const [seq, at = 0] = event.lastEventId.split(".").map(Number);
				for (const member of this.members.values()) {
					if (member.on && seq >= member.seq) Object.assign(member, { seq, at: Math.max(at, member.at) });
				}
				work(event);
			});
		}
		source.addEventListener("error", () => {
			this.become("off");
			if (source.readyState !== EventSource.CLOSED) return;
			// The source does not say why.
			fetch("/live/", { method: "HEAD" }).then(({ status }) => status === 401 && this.say({ type: "end" }), () => {});
		});
	}
}

const hub = new Hub();
if ("onconnect" in globalThis) {
	globalThis.onconnect = ({ ports: [port] }) => {
		port.onmessage = ({ data }) => hub.hear(data, (message) => port.postMessage(message));
	};
} else {
	globalThis.argusdHub = hub;
}
