import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import pg from 'pg';

// It stores answers as a first version would: one INSERT for each request, committed before the reply.
const [port, databaseUrl] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: databaseUrl, max: 16 });
await pool.query(
  'CREATE TABLE IF NOT EXISTS plain_answers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recipient_id bigint NOT NULL, key text NOT NULL, at timestamptz NOT NULL DEFAULT now())',
);

const app = new Hono();
app.post('/answer/:recipient', async (c) => {
  const form = new URLSearchParams(await c.req.text());
  await pool.query('INSERT INTO plain_answers (recipient_id, key) VALUES ($1, $2)', [c.req.param('recipient'), form.get('answer')]);
  return c.text('Thank you.');
});
serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' }, () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
