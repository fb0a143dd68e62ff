// Joins the stream that all tabs share. `join` returns a function that leaves; works are rows, state and refresh.

const script = document.documentElement.dataset.liveWorker;
const members = new Map();
let send;

function hear({ name, type, state, patch }) {
  const member = members.get(name);
  if (!member) return;
  if (type === "end") window.argusd.loggedOut();
  member.works[type]?.(patch ?? state);
  if (type !== "state") return;
  clearInterval(member.poll);
  if (state === "live") window.argusd.loggedOut(false);
  else member.poll = setInterval(member.works.refresh, 30000);
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
  const joined = { kind, about, seq, name };
  members.set(name, { joined, works });
  tell({ join: joined });
  return () => {
    clearInterval(members.get(name)?.poll);
    members.delete(name);
    tell({ leave: name });
  };
}

setInterval(() => { for (const name of members.keys()) tell({ alive: name }); }, 50000);
addEventListener("pagehide", () => { for (const name of members.keys()) tell({ leave: name }); });
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const { joined } of members.values()) tell({ join: joined });
});

window.argusd.live = { join };
