// One stream for all tabs of this browser, with the views of each. A shared worker, or part of the page.

class Hub {
  constructor() {
    this.members = new Map();
    this.source = null;
    this.state = "off";
    this.wait = 1000;
    setInterval(() => this.sweep(), 60000);
  }

  hear(message, reply) {
    const { join, leave, alive } = message;
    if (join) {
      const named = (message) => reply({ ...message, name: join.name });
      const seq = join.seq && Number(join.seq);
      this.members.set(join.name, { ...join, seq, reply: named, heard: Date.now() });
      named({ type: "state", state: this.state });
      this.connect();
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

  connect() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), 30);
  }

  open() {
    this.source?.close();
    this.source = null;
    if (!this.members.size) {
      this.become("off");
      return;
    }
    const query = new URLSearchParams();
    const known = [...this.members.values()].map((member) => member.seq).filter((seq) => seq != null);
    if (known.length) query.set("seq", Math.min(...known));
    for (const [name, member] of this.members) {
      member.on = true;
      query.append(member.kind, `${name}~${member.seq ?? ""}~${member.about}`);
    }
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
        this.become("off");
        this.say({ type: "end" });
      },
    };
    for (const [name, work] of Object.entries(works)) {
      source.addEventListener(name, (event) => {
        const seq = Number(event.lastEventId);
        for (const member of this.members.values()) if (member.on && seq > (member.seq ?? 0)) member.seq = seq;
        work(event);
      });
    }
    source.addEventListener("error", () => {
      this.become("off");
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, 30000);
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
