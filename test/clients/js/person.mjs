// The person at the browser is played by the test that started this program: it is told on standard output, a JSON object a
// line, where to go or what to type, and says on standard input where that led.
import dns from 'node:dns';
import readline from 'node:readline';

// Hosts below localhost are this machine (RFC 6761 section 6.3); not every resolver knows.
const lookup = dns.lookup;
dns.lookup = (host, ...rest) => lookup(host.endsWith('.localhost') ? '127.0.0.1' : host, ...rest);

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what) {
  process.stdout.write(JSON.stringify(what) + '\n');
  const { value, done } = await lines.next();
  if (done) throw new Error('the test has gone');
  return JSON.parse(value);
}

export const settings = await ask({ ready: true });

// visits leads to where the browser was sent, after the person said yes.
export async function visits(url) {
  return new URL((await ask({ visit: String(url) })).location);
}

// types has the person type a device's code and say yes.
export async function types(code) {
  await ask({ type: code });
}

// passed says that a step is done, with what is to be seen of it.
export async function passed(step, seen = {}) {
  await ask({ passed: step, seen });
}

export function leave() {
  process.stdout.write(JSON.stringify({ done: true }) + '\n');
  process.stdin.destroy();
}

export function same(what, got, want) {
  if (got !== want) throw new Error(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
}
