// A Node worker that does what tests/integration/test_bullmq_node.py's actor `count` does: it counts each job in a hash.
// A job whose name is in the set `lethal` kills this process at its first run, when nothing else runs in it.

import { Worker } from 'bullmq';
import IORedis from 'ioredis';

const [queue, lockMs] = process.argv.slice(2);
const connection = new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

async function count(job) {
  const [name] = job.data.args;
  if ((await connection.srem('lethal', name)) === 1) process.kill(process.pid, 'SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 5));
  await connection.hincrby('done', name, 1);
  await connection.incr('done-by-node');
}

const worker = new Worker(queue, count, {
  connection,
  prefix: process.env.BULLMQ_PREFIX ?? 'bull',
  lockDuration: Number(lockMs),
  stalledInterval: Number(lockMs),
  maxStalledCount: 10,
});
worker.on('error', (error) => console.error(error.message));
worker.on('failed', (job, error) => console.error(`${job?.id}: ${error.message}`));
console.log('ready');
