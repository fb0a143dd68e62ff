// One stream for all tabs of this browser: each tab joins with its views, the stream carries what concerns them.
// Runs as a shared worker, or within the page where browsers have none.

class Hub {
  constructor() {
    this.members = new Map();
    this.source = null;
    this.seq = null;
    this.state = "off";
    this.wait = 1000;
    setInterval(() => this.sweep(), 60000);
  }

  hear(message, reply) {
    const { join, leave, alive } = message;
    if (join) {
      const named = (message) => reply({ ...message, name: join.name });
      this.members.set(join.name, { ...join, reply: named, heard: Date.now() });
      named({ type: "state", state: this.state });
      this.connect(join.seq);
    }
    if (leave && this.members.delete(leave)) this.connect();
    if (alive && this.members.has(alive)) this.members.get(alive).heard = Date.now();
  }

  sweep() {
    const silent = [...this.members].filter(([, member]) => Date.now() - member.heard > 180000);
    for (const [name] of silent) this.members.delete(name);
    if (silent.length) this.connect();
  }

  say(message) {
    for (const member of this.members.values()) member.reply(message);
  }

  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.say({ type: "state", state });
  }

  connect(seq) {
    if (seq != null) this.seq = this.seq == null ? Number(seq) : Math.min(this.seq, Number(seq));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), 30);
  }

  open() {
    this.source?.close();
    this.source = null;
    if (!this.members.size) {
      this.seq = null;
      this.become("off");
      return;
    }
    const query = new URLSearchParams();
    if (this.seq != null) query.set("seq", this.seq);
    for (const [name, { kind, about }] of this.members) query.append(kind, `${name}~${about}`);
    const source = new EventSource(`/live/?${query}`);
    this.source = source;
    const works = {
      hello: () => {
        this.wait = 1000;
        this.become("live");
      },
      rows: ({ data }) => {
        const patch = JSON.parse(data);
        this.members.get(patch.list)?.reply({ type: "rows", patch });
      },
      watched: ({ data }) => this.members.get(data)?.reply({ type: "refresh" }),
      refresh: () => this.say({ type: "refresh" }),
      end: () => {
        source.close();
        this.say({ type: "end" });
      },
    };
    for (const [name, work] of Object.entries(works)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) this.seq = Number(event.lastEventId);
        work(event);
      });
    }
    source.addEventListener("error", () => {
      this.become("off");
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, 30000);
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
