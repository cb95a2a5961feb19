import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq';
import pg from 'pg';
import { CONNECTIONS as SMTP_CONNECTIONS } from '#channels/email/constants.ts';
import { CONNECTIONS } from '#channels/sms/twilio/constants.ts';
import type { Contestant, ContestantConfig } from './contestant.ts';
import { contentOf, slotsOf, tokenOf } from './content.ts';
import { textbookEmail, textbookPush, textbookSms } from './textbook-clients.ts';
import type { TextbookJob } from './textbook-job.ts';
import { prepareTemplate } from '#channels/fill.ts';

const TABLE = `CREATE TABLE IF NOT EXISTS textbook_deliveries (
  message_id bigint NOT NULL, recipient_id bigint NOT NULL, state text NOT NULL, provider_id text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, PRIMARY KEY (message_id, recipient_id))`;

/** Jobs are added this many at a time with addBulk; adding them one by one would be slower still. */
const ADD = 1_000;

/**
 * This is what the manuals of these libraries lead to: one BullMQ job for each recipient, the library's default client, one
 * INSERT before and one UPDATE after the call, each in its own transaction. As many jobs run at a time as the others have
 * connections.
 */
export async function textbook(config: ContestantConfig): Promise<Contestant> {
  const clients = { sms: textbookSms, email: textbookEmail, push: textbookPush };
  const client = clients[config.channel](config);
  const concurrency = config.channel === 'email' ? SMTP_CONNECTIONS : CONNECTIONS;
  const pool = new pg.Pool({ connectionString: config.databaseUrl, max: 16 });
  await pool.query(TABLE);
  const { queue, work } = await queueOf(config);
  let messageId = Date.now();
  let left = 0;
  let finished: { done: () => void; fail: (error: Error) => void } | undefined;
  const process = async ({ recipient, ...job }: TextbookJob): Promise<void> => {
    await pool.query(`INSERT INTO textbook_deliveries (message_id, recipient_id, state) VALUES ($1, $2, 'sending')`, [messageId, recipient]);
    const providerId = await client.send({ recipient, ...job });
    await pool.query(`UPDATE textbook_deliveries SET state = 'accepted', provider_id = $3, updated_at = now() WHERE message_id = $1 AND recipient_id = $2`, [
      messageId,
      recipient,
      providerId,
    ]);
  };
  const worker = work(process, concurrency);
  worker.on('completed', () => --left === 0 && finished?.done());
  worker.on('failed', (_job: unknown, error: Error) => finished?.fail(error));
  worker.on('error', (error: Error) => finished?.fail(error));
  const text = prepareTemplate(contentOf('sms').body);
  return {
    send: async (count) => {
      messageId += 1;
      left = count;
      const end = new Promise<void>((done, fail) => (finished = { done, fail }));
      end.catch(() => undefined);
      for (let from = 0; from < count; from += ADD) {
        const jobs = Array.from({ length: Math.min(ADD, count - from) }, (_, k) => jobOf(config, from + k, text(slotsOf(from + k))));
        await queue.addBulk(jobs.map((data) => ({ name: 'send', data, opts: { removeOnComplete: true, removeOnFail: true } })));
      }
      await end;
      const { rows } = await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM textbook_deliveries WHERE message_id = $1 AND state = 'accepted'`, [
        messageId,
      ]);
      if (rows[0]?.n !== count) throw new Error(`textbook wrote ${rows[0]?.n} of ${count} rows`);
    },
    close: async () => {
      await worker.close(true);
      await queue.close();
      await client.close();
      await pool.end();
    },
  };
}

const jobOf = (config: ContestantConfig, i: number, text: string): TextbookJob => ({
  recipient: i,
  address: config.channel === 'sms' ? `+1${2_000_000_000 + i}` : config.channel === 'email' ? `b${i}@people.example` : `${config.pushUrl}/push/${tokenOf(i)}`,
  link: slotsOf(i).link ?? '',
  text,
});

interface WorkerLike {
  on(event: 'completed' | 'error' | 'failed', listener: (...args: never[]) => unknown): unknown;
  close(force: boolean): Promise<void>;
}

async function queueOf(
  config: ContestantConfig,
): Promise<{ queue: Queue; work: (run: (data: TextbookJob) => Promise<void>, concurrency: number) => WorkerLike }> {
  const name = `textbook-${config.channel}`;
  if (config.redisUrl !== undefined) {
    const connection = { url: config.redisUrl, maxRetriesPerRequest: null };
    return {
      queue: new Queue(name, { connection }),
      work: (run, concurrency) => new Worker(name, (job) => run(job.data as TextbookJob), { connection, concurrency }) as WorkerLike,
    };
  }
  const client = new pg.Client({ connectionString: config.databaseUrl });
  await client.connect();
  await runMigrations(client);
  await client.end();
  const connection = { connectionString: config.databaseUrl, max: 8 };
  return {
    queue: new Queue(name, { connection }, createPostgresBackend) as unknown as Queue,
    work: (run, concurrency) => new Worker(name, (job: { data: unknown }) => run(job.data as TextbookJob), { connection, concurrency }, createPostgresBackend),
  };
}
