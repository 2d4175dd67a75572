// A browser, driven through chromedriver's WebDriver endpoint: plain HTTP and JSON, so that no package is needed.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 30_000;
const CALL_MS = 60_000;

// Resolves with the first line of a child's output that matches, and keeps its last lines for the case that none does.
export function firstLine(child, pattern, within_ms, what) {
  return new Promise((resolve, reject) => {
    let seen = "";
    const fail = (why) => reject(new Error(`${what} ${why}\n${seen.slice(-2000)}`));
    const timer = setTimeout(() => fail(`said nothing in ${within_ms / 1000} s`), within_ms);
    const read = (bytes) => {
      seen += bytes;
      const match = seen.match(pattern);
      if (match) {
        clearTimeout(timer);
        resolve(match);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", (error) => fail(`did not start: ${error.message}`));
    child.on("exit", (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });
}

export class Browser {
  // Starts chromedriver on a port of its choice and one headless window.
  static async start() {
    const profile = mkdtempSync(join(tmpdir(), "longwatch-browser-"));
    const child = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "pipe"] });
    // It has to end with us, whatever happens on the way.
    process.on("exit", () => child.kill());
    const [, port] = await firstLine(child, /started successfully on port (\d+)/, START_MS, "chromedriver");
    const browser = new Browser(child, profile, `http://127.0.0.1:${port}`);
    const { sessionId } = await browser.call("POST", "/session", {
      capabilities: {
        alwaysMatch: {
          browserName: "chrome",
          unhandledPromptBehavior: "ignore",
          "goog:loggingPrefs": { browser: "ALL" },
          "goog:chromeOptions": {
            binary: process.env.LONGWATCH_TEST_CHROMIUM || undefined,
            args: [
              "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
              "--no-first-run", "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync",
              `--user-data-dir=${profile}`,
            ],
          },
        },
      },
    });
    browser.session = `/session/${sessionId}`;
    return browser;
  }

  constructor(child, profile, base) {
    // `opened` are the texts of dialogs that stood in the way of a call, until they are told.
    Object.assign(this, { child, profile, base, session: "", opened: [] });
  }

  async call(method, path, body, again = 3) {
    const answer = await fetch(this.base + this.session + path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MS),
    });
    const { value } = await answer.json();
    if (!answer.ok && value.error === "unexpected alert open" && !path.startsWith("/alert") && again > 0) {
      // A dialog may open long after its page has come: it is closed, kept to be told, and the call made again.
      this.opened.push((await this.dialog()) ?? value.data?.text ?? value.message.split("\n")[0]);
      return this.call(method, path, body, again - 1);
    }
    if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message.split("\n")[0]}`);
    return value;
  }

  devtools(cmd, params = {}) {
    return this.call("POST", "/goog/cdp/execute", { cmd, params });
  }

  // The window's size in CSS pixels (below the 500 that a headless window could have), and the reader's colour scheme.
  async look(width, scheme) {
    await this.devtools("Emulation.setDeviceMetricsOverride", {
      width, height: 800, deviceScaleFactor: 1, mobile: false,
    });
    await this.devtools("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  scripts(on) {
    return this.devtools("Emulation.setScriptExecutionDisabled", { value: !on });
  }

  go(url) {
    return this.call("POST", "/url", { url });
  }

  // Runs a function in the page; it sees only its arguments, and what it returns has to be JSON.
  run(inPage, ...args) {
    const script = `return (${inPage}).apply(null, arguments);`;
    return this.call("POST", "/execute/sync", { script, args });
  }

  async press(key) {
    const press = [{ type: "keyDown", value: key }, { type: "keyUp", value: key }];
    await this.call("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions: press }] });
  }

  // Errors that the console has shown since the last call: script errors, failed loads, refusals by the security policy;
  // and dialogs that opened late.
  async errors() {
    const entries = await this.call("POST", "/se/log", { type: "browser" });
    const dialogs = this.opened.splice(0).map((text) => `a dialog opened: ${text}`);
    return [...entries.filter((e) => e.level === "SEVERE").map((e) => e.message), ...dialogs];
  }

  // The text of an open dialog, which is closed; null where none is open.
  async dialog() {
    try {
      const text = await this.call("GET", "/alert/text");
      await this.call("POST", "/alert/dismiss", {});
      return text ?? "";
    } catch {
      return null;
    }
  }

  async screenshot() {
    const { data } = await this.devtools("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    return Buffer.from(data, "base64");
  }

  async stop() {
    await this.call("DELETE", "", undefined).catch(() => {});
    const gone = new Promise((resolve) => this.child.on("exit", resolve));
    this.child.removeAllListeners("exit");
    this.child.on("exit", () => {});
    this.child.kill();
    await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 2_000))]);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
