// What tests ask BullMQ for, one command a run. Prints its answer as JSON.
//   add QUEUE NAME DATA [OPTIONS]    jobs QUEUE STATE...    retry QUEUE ID    counts QUEUE    workers QUEUE

import { Queue } from 'bullmq';
import IORedis from 'ioredis';

const [command, name, ...rest] = process.argv.slice(2);
const connection = new IORedis(process.env.REDIS_URL);
const queue = new Queue(name, { connection, prefix: process.env.BULLMQ_PREFIX ?? 'bull' });

const commands = {
  add: async (job, data, options = '{}') => (await queue.add(job, JSON.parse(data), JSON.parse(options))).id,
  addMany: async (job, count) => {
    const jobs = Array.from({ length: Number(count) }, (_, n) => ({ name: job, data: { args: [`node-${n}`] } }));
    return (await queue.addBulk(jobs)).length;
  },
  jobs: async (...states) =>
    (await queue.getJobs(states)).map(({ id, name, data, delay, failedReason, stacktrace, attemptsMade }) => ({
      id, name, data, delay, failedReason, stacktrace, attemptsMade,
    })),
  counts: () => queue.getJobCounts(),
  retry: async (id) => {
    await (await queue.getJob(id)).retry();
    return true;
  },
  workers: async () => (await queue.getWorkers()).length,
};

console.log(JSON.stringify(await commands[command](...rest)));
await queue.close();
await connection.quit();
