// Joins the stream that all tabs share. `argusd.live.join(kind, about, seq, hear)` returns a function that leaves.

const script = document.documentElement.dataset.liveWorker;
const members = new Map();
let send;

function hear(name) {
  return (message) => members.get(name)?.hear(message);
}

async function connect() {
  if ("SharedWorker" in window) {
    const { port } = new SharedWorker(script, { name: "argusd" });
    port.onmessage = ({ data }) => members.get(data.name)?.hear(data);
    return (message) => port.postMessage(message);
  }
  await import(script);
  return (message) => globalThis.argusdHub.hear(message, hear(message.join?.name));
}

async function tell(message) {
  send ??= connect();
  (await send)(message);
}

function join(kind, about, seq, handle) {
  const name = crypto.getRandomValues(new Uint32Array(2)).join("");
  const joined = { kind, about, seq, name };
  members.set(name, { joined, hear: handle });
  tell({ join: joined });
  return () => {
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
