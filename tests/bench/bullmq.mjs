// BullMQ as `bench embedded` measures it: `node bullmq.mjs SOCKET`, where SOCKET is the Unix socket of a Redis server of the
// benchmark's own. A command is a line of JSON on standard input, and its answer a line of JSON on standard output. The program
// ends with its input, and ends the server then.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { performance } from "node:perf_hooks";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const [socket] = process.argv.slice(2);
// With `enableAutoPipelining` it is a third slower.
const connection = () => new Redis({ path: socket, maxRetriesPerRequest: null });
const redis = connection();
const queue = new Queue("jobs", { connection: connection() });
let template;

/** The job with this number, as the body that is sent to Carillon. */
function job(number) {
  const { params, body } = template.input;
  const order = `ord-${String(number).padStart(8, "0")}`;
  return { ...template, input: { params: { ...params, number }, body: { ...body, order } } };
}

function options() {
  return { attempts: template.retries + 1 };
}

/** CPU time of this process and of Redis with its children, seconds. */
async function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  const info = await redis.info("cpu");
  const used = (name) => Number(info.match(new RegExp(`^${name}:([\\d.]+)`, "m"))[1]);
  const names = ["used_cpu_user", "used_cpu_sys", "used_cpu_user_children", "used_cpu_sys_children"];
  return (user + system) / 1e6 + names.reduce((sum, name) => sum + used(name), 0);
}

async function measured(work) {
  const cpu = await cpuSeconds();
  const began = performance.now();
  await work();
  const wall_seconds = (performance.now() - began) / 1e3;
  return { wall_seconds, cpu_seconds: (await cpuSeconds()) - cpu };
}

/** Returns once Redis rewrites its log no more. */
async function rewritten() {
  const busy = /aof_rewrite_(in_progress|scheduled):1/;
  while (busy.test(await redis.info("persistence"))) await new Promise((done) => setTimeout(done, 20));
}

/** Empties the store, and waits until its log is as short as a new one. */
async function clear() {
  await redis.flushall();
  await rewritten();
  await redis.bgrewriteaof();
  await rewritten();
  return {};
}

/** Adds jobs that are due at once: each caller waits for its answer before it adds the next. Nothing runs the jobs yet. */
async function add({ jobs, callers }) {
  const all = Array.from({ length: jobs }, (_, number) => job(number));
  let next = 0;
  async function caller() {
    while (next < jobs) {
      const data = all[next++];
      await queue.add(data.event, data, options());
    }
  }
  return measured(() => Promise.all(Array.from({ length: callers }, caller)));
}

/** A worker that calls `work` for each job; `ended` is settled once `jobs` of them have ended. */
async function worker(jobs, concurrency, work) {
  const runner = new Worker("jobs", work, { connection: connection(), concurrency, autorun: false });
  await runner.waitUntilReady();
  let left = jobs;
  const ended = new Promise((done, failed) => {
    runner.on("completed", () => --left === 0 && done());
    runner.on("failed", (_, error) => failed(error));
    runner.on("error", failed);
  });
  return { runner, ended };
}

/** Runs all that is there; the work itself is done at once. */
async function run({ jobs, concurrency }) {
  const { runner, ended } = await worker(jobs, concurrency, async () => ({ status: 200 }));
  const cost = await measured(() => {
    runner.run();
    return ended;
  });
  await runner.close();
  return cost;
}

/** Lateness of jobs that are due evenly over some time, ms: from the instant that a job is due until its work begins. */
async function late({ jobs, over_ms, ahead_ms, concurrency }) {
  const now = () => performance.timeOrigin + performance.now();
  const lateness_ms = [];
  const { runner, ended } = await worker(jobs, concurrency, async ({ data }) => {
    lateness_ms.push(now() - data.start_at);
  });
  const first = Date.now() + ahead_ms;
  for (let number = 0; number < jobs; number++) {
    const data = { ...job(number), start_at: first + Math.floor((number * over_ms) / jobs) };
    await queue.add(data.event, data, { ...options(), delay: data.start_at - Date.now() });
  }
  if (Date.now() > first) throw new Error("the machine is too busy: the first jobs were due before the last were added");
  runner.run();
  await ended;
  await runner.close();
  return { lateness_ms };
}

async function start({ job }) {
  template = job;
  await queue.waitUntilReady();
  const server = (await redis.info("server")).match(/^redis_version:(\S+)/m)[1];
  const version = createRequire(import.meta.url)("bullmq/package.json").version;
  return { versions: `BullMQ ${version} on Redis ${server}, Node ${process.versions.node}` };
}

const commands = { start, clear, add, run, late };
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  console.log(JSON.stringify(await commands[command](options)));
}
// Nothing is left running when the benchmark is killed. The end of the connection is the answer.
redis.on("close", () => process.exit(0));
redis.shutdown("NOSAVE").catch(() => {});
