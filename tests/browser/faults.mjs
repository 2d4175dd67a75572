// Pages with one fault each: the crawl has to find every one of them, or its silence about ours means nothing.

import { createServer } from "node:http";

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};
const STYLE = ".w{width:900px}.q:focus{outline:none} a:focus{outline:2px solid}";

const page = (body, head = "") =>
  `<!doctype html><html lang="en"><head><title>t</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">${head}</head>
   <body><a href="#main">Skip</a><main id="main">${body}</main></body></html>`;
const script = (path) => `<script src="/${path}.js"></script>`;

// Path, what the page holds, and what the crawl has to say of it.
export const FAULTS = [
  ["/wide", page('<h1>w</h1><div class="w">wide</div>'), /390 light: 900 px wide|390 light: 9\d\d px wide/],
  ["/console", page("<h1>c</h1>" + script("throws")), /a fault thrown on purpose/],
  ["/policy", page("<h1>p</h1><script>document.title='x'</script>"), /Content Security Policy|content-security-policy/i],
  ["/dialog", page("<h1>d</h1>" + script("alerts")), /a dialog opened/],
  ["/style", page('<h1>s</h1><p style="color:red">x</p>'), /a style attribute on P/],
  ["/heading", page("<p>none</p>"), /0 headings/],
  ["/ids", page('<h1>i</h1><p id="a">1</p><p id="a">2</p>'), /ids that stand twice: a/],
  ["/label", page('<h1>l</h1><input name="who">'), /a field without a label: who/],
  ["/image", page('<h1>i</h1><svg role="img"></svg>'), /an image without a name/],
  ["/focus", page('<h1>f</h1><button class="q">unseen</button>'), /the focus on "unseen" does not show/],
  ["/scripted", page('<h1>s</h1><p id="x"></p>' + script("writes")), /says something else than with scripts/],
  ["/missing", null, /status 404/],
  ["/skip", page("<h1>s</h1>").replace('<a href="#main">Skip</a>', '<a href="/">Home</a>'), /does not skip to the content/],
  ["/framed", page("<h1>f</h1>"), /the page may be framed/],
];
// A page without a fault, which links to all others.
const START = page("<h1>Faults</h1>" + FAULTS.map(([path]) => `<p><a href="${path}">${path}</a></p>`).join(""));

const FILES = {
  "/style.css": ["text/css", STYLE],
  "/throws.js": ["text/javascript", "throw new Error('a fault thrown on purpose')"],
  "/alerts.js": ["text/javascript", "alert('hello')"],
  "/writes.js": ["text/javascript", "addEventListener('load', () => document.getElementById('x').textContent = 'more')"],
};

export function serve() {
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    const file = FILES[path];
    if (file) return response.writeHead(200, { "content-type": file[0] }).end(file[1]);
    const body = path === "/" ? START : FAULTS.find(([of]) => of === path)?.[1];
    const headers = { ...HEADERS };
    if (path === "/framed") headers["content-security-policy"] = "default-src 'none'; style-src 'self'; img-src 'self' data:";
    return response.writeHead(body ? 200 : 404, headers).end(body ?? page("<h1>not here</h1>"));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/` }));
  });
}
