// BullMQ's own worker, measured: drain COUNT prints jobs/s of a backlog; wait prints for each job how many milliseconds it
// waited for an idle worker; send COUNT SHORTEST LONGEST adds jobs, with pauses of so many milliseconds.

import { setTimeout as pause } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import IORedis from 'ioredis';

const [name, concurrency, command, ...rest] = process.argv.slice(2);
const connection = new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue(name, { connection });
const options = { connection, concurrency: Number(concurrency), removeOnComplete: { count: 0 } };
const body = 'What was said, '.repeat(20);

async function drain(count) {
  for (let at = 0; at < count; at += 500) {
    const jobs = Array.from({ length: Math.min(500, count - at) }, () => ({ name: 'nothing', data: { args: [body] } }));
    await queue.addBulk(jobs);
  }
  const began = performance.now();
  let done = 0;
  const worker = new Worker(name, async () => {}, options);
  await new Promise((resolve) => worker.on('completed', () => ++done === count && resolve()));
  console.log(count / ((performance.now() - began) / 1000));
  await worker.close();
}

async function send(count, shortest, longest) {
  for (let sent = 0; sent < count; sent++) {
    await pause(shortest + Math.random() * (longest - shortest));
    await queue.add('arrive', { sent_at: process.hrtime.bigint().toString(), body });
  }
}

if (command === 'wait') {
  // hrtime is CLOCK_MONOTONIC, the machine's: every process reads the same.
  new Worker(name, async (job) => console.log(Number(process.hrtime.bigint() - BigInt(job.data.sent_at)) / 1e6), options);
  console.log('ready');
} else {
  await (command === 'drain' ? drain : send)(...rest.map(Number));
  await queue.close();
  await connection.quit();
}
