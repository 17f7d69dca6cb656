// The JSON API. An answer is sent again until the server has it: it carries an id, so that it counts once.

export class Refused extends Error {
  constructor(status, detail) {
    super(typeof detail === "string" ? detail : detail.map((d) => `${d.loc?.at(-1)}: ${d.msg}`).join("; "));
    this.status = status;
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function read(response) {
  const body = await response.json().catch(() => ({ detail: `the server answered ${response.status}` }));
  if (!response.ok) throw new Refused(response.status, body.detail);
  return body;
}

export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return read(await fetch(`/api/${path}?${new URLSearchParams(given)}`));
}

export async function post(path, body, waiting = () => {}) {
  for (;;) {
    let response;
    try {
      response = await fetch(`/api/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    } catch {
      waiting(true);
      await pause(1000);
      continue;
    }
    if (response.status === 503) {
      waiting(true);
      await pause(1000);
      continue;
    }
    waiting(false);
    return read(response);
  }
}

// randomUUID is there on secure origins only, and a review may be served on a plain one.
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
