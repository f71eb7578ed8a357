// A Node service that does what Python asks for: it works the queue `invoices`.

import { Worker } from 'bullmq';
import IORedis from 'ioredis';

const connection = new IORedis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

// The data is Dramatiq's message: args and kwargs are what the actor was called with.
async function invoice(job) {
  const [order] = job.data.args;
  console.log(`invoice for order ${order}: ${job.data.kwargs.total}`);
}

const worker = new Worker('invoices', invoice, { connection, prefix: process.env.BULLMQ_PREFIX ?? 'bull' });
worker.on('failed', (job, error) => console.error(`job ${job?.id} failed: ${error.message}`));

process.on('SIGTERM', async () => {
  await worker.close();
  await connection.quit();
});
console.log('the worker is ready');
