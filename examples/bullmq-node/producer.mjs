// A Node service that has a message for Recado to answer: what came in elsewhere, or was forwarded.

import { Queue } from 'bullmq';
import IORedis from 'ioredis';

const [text = 'Oi'] = process.argv.slice(2);
const connection = new IORedis(process.env.REDIS_URL);
const messages = new Queue('messages', { connection, prefix: process.env.BULLMQ_PREFIX ?? 'bull' });

// The name is the actor's, and the data is what it is called with: here the parameters of Twilio's webhook. The id
// keeps a repeat of this from being a second message.
const messageSid = 'SM' + '1'.repeat(32);
const parameters = {
  MessageSid: messageSid,
  AccountSid: 'AC' + '0'.repeat(32),
  From: 'whatsapp:+5511900000001',
  To: 'whatsapp:+15005550006',
  Body: text,
};
const job = await messages.add('process_ai_response', parameters, { jobId: messageSid, removeOnComplete: true });
console.log(`job ${job.id} is in queue ${messages.name}`);

await messages.close();
await connection.quit();
