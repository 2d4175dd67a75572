// Names that try to become markup, script, paths or headers, stored wherever a sender may store a name; then every page
// that shows them is read. What they must not do: open a dialog, break the security policy, lead nowhere, or vanish.

import { execFileSync, spawn } from "node:child_process";
import { join, resolve } from "node:path";

import { crawl } from "./crawl.mjs";
import { firstLine } from "./driver.mjs";

const START_MS = 60_000;
const FOLD_MS = 60_000;

const NAMES = [
  "<script>alert(1)</script>",
  "\"><img src=x onerror=alert(2)>",
  "'-alert(3)-'",
  "</title></svg><script>alert(4)</script>",
  "<svg/onload=alert(5)>",
  "javascript:alert(6)",
  "{{7*7}}${7*7}<%= 7*7 %>",
  "a/b?c=d#e&f",
  "../../etc/passwd",
  "x\r\nSet-Cookie: stolen=1",
  "=cmd|'/c calc'!A1",
  "\u202Etxet thgir ot tfel",
  "long ".repeat(60).trim(),
];

export async function crawlHostile(browser, folder, tell, screenshots) {
  const binary = resolve(process.env.LONGWATCH_BINARY);
  const database = `sqlite:${join(folder, "hostile.db")}`;
  const token = execFileSync(
    binary,
    ["token", "create", "--project", "hostile", "--scope", "admin", "--database", database],
    { encoding: "utf8", timeout: START_MS },
  ).trim();
  const server = spawn(binary, ["serve", "--database", database, "--listen", "127.0.0.1:0", "--public-read"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const [, url] = await firstLine(server, /listening on (http:\/\/[^\s]+)/, START_MS, "longwatch serve");
    const api = `${url.replace(/\/$/, "")}/api/v1/projects/hostile`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    for (const [at, name] of NAMES.entries()) {
      const body = JSON.stringify(report(name, at));
      const answer = await fetch(`${api}/samples`, { method: "POST", headers, body });
      tell(`a hostile name is stored: ${JSON.stringify(name).slice(0, 40)}`, answer.ok ? [] : [await answer.text()]);
    }
    const flows = await folded(api, headers);
    tell("the hostile names are kept as they came", flows.has(NAMES[0]) ? [] : [`found ${[...flows].slice(0, 5)}`]);
    const { pages } = await crawl(browser, url, screenshots);
    for (const page of pages) tell(`hostile page ${page.path.slice(0, 60)}`, page.wrong);
    const shown = pages.some((page) => page.words?.includes(NAMES[0]));
    tell("a hostile name is shown as the text that it is", shown ? [] : [`no page says ${NAMES[0]}`]);
  } finally {
    server.removeAllListeners("exit");
    server.kill();
  }
}

function report(name, at) {
  const values = Array.from({ length: 40 }, (_, i) => 10 + ((i * 7 + at) % 11) / 10);
  return {
    source: "bench", release: `r${at} ${name}`, commit: name, branch: "main", testbed: name, run: name,
    workload: name, harness: name,
    measurements: [{ flow: name, metric: "wall_time", unit: "ms", basis: "op", labels: { kind: name }, values }],
  };
}

// The flows' names, once the fold has seen them all.
async function folded(api, headers) {
  const until = Date.now() + FOLD_MS;
  for (;;) {
    const answer = await fetch(`${api}/series?limit=1000`, { headers });
    const flows = new Set([...(await answer.text()).matchAll(/"flow":("(?:[^"\\]|\\.)*")/g)].map((m) => JSON.parse(m[1])));
    if (flows.size >= NAMES.length || Date.now() > until) return flows;
    await new Promise((done) => setTimeout(done, 300));
  }
}
